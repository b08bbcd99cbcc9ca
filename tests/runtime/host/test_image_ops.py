"""Image kernels against TensorFlow 1.15, and files that are written against what is read back."""

from __future__ import annotations

import sys
import zlib

import numpy as np
import pytest
from kernels import check_case, load_cases, run_kernel

from runtime.errors import InvalidArgumentError, UnimplementedError
from runtime.host import image_ops

RNG = np.random.default_rng(5)
Y, X = np.mgrid[0:40, 0:56]
SMOOTH = np.stack([128 + 100 * np.sin(X / 9 + c) * np.cos(Y / 7 - c) for c in range(3)], -1).astype(np.uint8)


def contents(data: bytes) -> np.ndarray:
    return np.array(data, object)


@pytest.mark.parametrize("case", load_cases("image_ops"))
def test_answers_as_tensorflow(case):
    check_case(case)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("pixels", ["noise", "smooth"])
def test_png_reads_back(channels, dtype, pixels):
    image = RNG.integers(0, np.iinfo(dtype).max + 1, (11, 7, channels)).astype(dtype)
    if pixels == "smooth":
        image = np.broadcast_to((np.add.outer(np.arange(11), np.arange(7)) * 9)[..., None], image.shape).astype(dtype)
    ((encoded,),) = run_kernel("EncodePng", {"image": image}, {})
    ((decoded,),) = run_kernel("DecodePng", {"contents": encoded}, {"dtype": f"DT:{np.dtype(dtype).name}"})
    np.testing.assert_array_equal(decoded, image)


def test_smooth_pictures_are_packed_well():
    ((encoded,),) = run_kernel("EncodePng", {"image": SMOOTH}, {})
    assert len(encoded.item()) < SMOOTH.size // 2


def test_every_cut_png_is_refused():
    ((encoded,),) = run_kernel("EncodePng", {"image": SMOOTH[:5, :5]}, {})
    data = encoded.item()
    for length in range(len(data) - 12):
        with pytest.raises(InvalidArgumentError):
            run_kernel("DecodePng", {"contents": contents(data[:length])}, {})


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("attrs", [{}, {"chroma_downsampling": False}, {"progressive": True, "quality": 90}, {"optimize_size": True}])
def test_jpeg_reads_back(channels, attrs):
    if "progressive" in attrs or "optimize_size" in attrs:
        pytest.importorskip("PIL")
    image = SMOOTH[..., :channels]
    ((encoded,),) = run_kernel("EncodeJpeg", {"image": image}, attrs)
    ((decoded,),) = run_kernel("DecodeJpeg", {"contents": encoded}, {})
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 4
    ((shape,),) = run_kernel("ExtractJpegShape", {"contents": encoded}, {"output_type": "DT:int32"})
    np.testing.assert_array_equal(shape, image.shape)
    ((cropped,),) = run_kernel("DecodeAndCropJpeg", {"contents": encoded, "crop_window": np.array([3, 0, 20, 56], np.int32)}, {})
    np.testing.assert_array_equal(cropped, decoded[3:23])


def test_a_missing_pillow_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UnimplementedError, match=r"pip install 'tfrevive\[images\]'"):
        run_kernel("EncodeJpeg", {"image": SMOOTH}, {"progressive": True})


def jpegs() -> list[bytes]:
    cases = [p.values[0] for p in load_cases("image_ops")]
    return sorted({c["inputs"]["contents"].item() for c in cases if c["op"] == "DecodeJpeg"}, key=len)


def test_no_cut_or_damaged_jpeg_goes_wrong_in_another_way():
    data = jpegs()[2]
    for length in range(3, len(data) - 2):
        with pytest.raises(InvalidArgumentError, match="Invalid JPEG data"):
            run_kernel("DecodeJpeg", {"contents": contents(data[:length])}, {})
    for place in RNG.integers(3, len(data), 300):
        damaged = bytearray(data)
        damaged[place] = RNG.integers(0, 256)
        try:
            run_kernel("DecodeJpeg", {"contents": contents(bytes(damaged))}, {})
        except (InvalidArgumentError, UnimplementedError):
            continue


def test_noise_of_a_glimpse_stays_in_the_image_range():
    image = RNG.uniform(2, 3, (1, 6, 6, 1)).astype(np.float32)
    inputs = {"input": image, "size": np.array([5, 5], np.int32), "offsets": np.array([[1.0, 1.0]], np.float32)}
    ((uniform,),) = run_kernel("ExtractGlimpse", inputs, {})
    assert image.min() <= uniform.min() and uniform.max() <= image.max()
    ((gaussian,),) = run_kernel("ExtractGlimpse", inputs, {"uniform_noise": False})
    assert (gaussian != 0).all()


def test_warp_by_a_shift():
    image = RNG.normal(size=(1, 5, 6, 2)).astype(np.float32)
    inputs = {"images": image, "transforms": np.array([[1, 0, 2, 0, 1, -1, 0, 0]], np.float32), "output_shape": np.array([5, 6], np.int32)}
    for interpolation in ("NEAREST", "BILINEAR"):
        ((moved,),) = run_kernel("ImageProjectiveTransformV2", inputs, {"interpolation": interpolation})
        np.testing.assert_allclose(moved[:, 1:, :4], image[:, :4, 2:], rtol=1e-6)
        assert (moved[:, 0] == 0).all() and (moved[:, :, 4:] == 0).all()


@pytest.mark.parametrize(
    ("op", "data", "text"),
    [
        ("DecodePng", b"abc", "got unknown format starting with 'abc'"),
        ("DecodePng", b"BM" + bytes(60), "decode_bmp"),
        ("DecodeGif", b"GIF89a" + bytes(7) + b"\x3b", "no frames"),
        ("DecodeBmp", b"BM", "a header takes 32"),
    ],
)
def test_refuses(op, data, text):
    with pytest.raises(InvalidArgumentError, match=text):
        run_kernel(op, {"contents": contents(data)}, {})


def test_format_is_told_by_the_first_bytes():
    assert [image_ops._format(b) for b in (b"\xff\xd8\xff", b"GIF87a", b"BM")] == ["JPEG", "GIF", "BMP"]


def sealed(data: bytes) -> bytes:
    """A PNG with its chunks' checksums made right, so that damage gets past them."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        out += data[at:end] + zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out) + data[at:]


@pytest.mark.parametrize("op", ["DecodePng", "DecodeGif", "DecodeBmp"])
def test_damaged_files_are_refused_or_read(op):
    cases = [p.values[0] for p in load_cases("image_ops")]
    files = sorted({c["inputs"]["contents"].item() for c in cases if c["op"] == op}, key=len)[:20]
    for i in range(600):
        data = bytearray(files[i % len(files)])
        for place in RNG.integers(0, len(data), RNG.integers(1, 4)):
            data[place] = RNG.integers(0, 256)
        try:
            run_kernel(op, {"contents": contents(sealed(bytes(data)) if op == "DecodePng" else bytes(data))}, {})
        except InvalidArgumentError:
            continue
