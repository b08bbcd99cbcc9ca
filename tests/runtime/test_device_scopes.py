"""tf.device in all its forms, as TensorFlow 1.15.5 was recorded to settle them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.script import run_script

SCRIPT = """\
import tensorflow as tf
def show(*ts):
    for t in ts: print(t.op.name, repr(t.device), [g for g in t.op.colocation_groups()])
seen=[]
def f(op):
    seen.append((op.name, op.type, op.device, len(op.inputs)))
    return '/gpu:0' if op.type=='MatMul' else '/cpu:0'
with tf.device(f):
    a=tf.ones([2,2],name='a'); b=tf.matmul(a,a,name='b'); show(a,b)
print(seen)
with tf.device('/job:worker/task:1'):
    with tf.device(f): c=tf.matmul(a,a,name='c')
    with tf.device('/gpu:2'): d=tf.matmul(a,a,name='d')
    with tf.device(None): e=tf.matmul(a,a,name='e')
show(c,d,e)
with tf.device(tf.DeviceSpec(job='ps',task=0,device_type='CPU',device_index=0)): g=tf.identity(a,name='g')
show(g)
s=tf.DeviceSpec.from_string('/job:w/replica:1/task:2/gpu:3'); print(s.to_string(), s.job, s.replica, s.task, s.device_type, s.device_index)
s2=tf.DeviceSpec(device_type='GPU'); print(s2.to_string())
with tf.device(tf.train.replica_device_setter(ps_tasks=2)):
    v1=tf.Variable(1.,name='v1'); v2=tf.Variable(2.,name='v2'); v3=tf.get_variable('v3',[]); h=v1+v2
show(v1,v2,v3,h); print(v1.initializer.device, v1.device)
with tf.device(tf.train.replica_device_setter(cluster=tf.train.ClusterSpec({'ps':['a:1','b:1'],'worker':['c:1']}),worker_device='/job:worker/task:0/gpu:0')):
    w1=tf.Variable(1.,name='w1'); w2=tf.Variable(1.,name='w2'); i=w1*2.
show(w1,w2,i)
with tf.colocate_with(g): j=tf.identity(a,name='j')
with tf.device('/cpu:1'):
    with tf.colocate_with(v2): k=tf.Variable(3.,name='k')
show(j,k)
with tf.device('/gpu:0'):
    opt=tf.train.GradientDescentOptimizer(.1); q=tf.Variable(2.,name='q'); loss=tf.square(q,name='loss')
gs=opt.compute_gradients(loss,[q],colocate_gradients_with_ops=True); show(gs[0][0])
m=opt.minimize(loss,var_list=[q]); print(m.device)
def byname(op): return '/cpu:1' if op.name.startswith('x') else '/cpu:0'
with tf.device(byname): x1=tf.identity(a,name='x1'); y1=tf.identity(a,name='y1')
show(x1,y1)
with tf.device(lambda op: op.node_def.name and '/cpu:3'): z=tf.identity(a,name='z')
show(z)
with tf.device(lambda n: '/cpu:0'):
    with tf.device('/gpu:1'): z2=tf.identity(a,name='z2')
show(z2)
with tf.device('/gpu:1'):
    with tf.device(lambda n: '/cpu:0'): z3=tf.identity(a,name='z3')
show(z3)
with tf.device(tf.compat.v1.train.replica_device_setter(ps_tasks=3,ps_strategy=tf.contrib.training.GreedyLoadBalancingStrategy(3,tf.contrib.training.byte_size_load_fn))):
    ls=[tf.get_variable('gl%d'%n,[s]) for n,s in enumerate([10,5,3,8])]
show(*ls)
"""

# What TensorFlow 1.15.5 printed for SCRIPT.
PRINTED = """\
a '/cpu:0' [b'loc:@a']
b '/gpu:0' [b'loc:@b']
[('a', 'Const', '', 0), ('b', 'MatMul', '', 2)]
c '/job:worker/task:1/device:GPU:0' [b'loc:@c']
d '/job:worker/task:1/device:GPU:2' [b'loc:@d']
e '' [b'loc:@e']
g '/job:ps/task:0/device:CPU:0' [b'loc:@g']
/job:w/replica:1/task:2/device:GPU:3 w 1 2 GPU 3
/device:GPU:*
v1 '/job:ps/task:0' [b'loc:@v1']
v2 '/job:ps/task:1' [b'loc:@v2']
v3 '/job:ps/task:0' [b'loc:@v3']
add '/job:worker' [b'loc:@add']
/job:ps/task:0 /job:ps/task:0
w1 '/job:ps/task:0' [b'loc:@w1']
w2 '/job:ps/task:1' [b'loc:@w2']
mul '/job:worker/task:0/device:GPU:0' [b'loc:@mul']
j '/job:ps/task:0/device:CPU:0' [b'loc:@g']
k '/job:ps/task:1' [b'loc:@v2']
gradients/loss_grad/Mul_1 '/device:GPU:0' [b'loc:@loss']
/device:GPU:0
x1 '/cpu:1' [b'loc:@x1']
y1 '/cpu:0' [b'loc:@y1']
z '/cpu:3' [b'loc:@z']
z2 '/cpu:0' [b'loc:@z2']
z3 '/device:CPU:0' [b'loc:@z3']
gl0 '/job:ps/task:0' [b'loc:@gl0']
gl1 '/job:ps/task:1' [b'loc:@gl1']
gl2 '/job:ps/task:2' [b'loc:@gl2']
gl3 '/job:ps/task:2' [b'loc:@gl3']
"""


def test_devices_of_ops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    run_script(tmp_path / "script.py", device="cpu")
    assert capsys.readouterr().out == PRINTED


CLUSTER = """
import tensorflow as tf
server = tf.train.Server.create_local_server()
with tf.device("/job:local/task:0/gpu:1"):
    a = tf.constant(2.0) * 3.0
with tf.device(tf.train.replica_device_setter(ps_tasks=1)):
    v = tf.Variable(1.0)
with tf.Session(server.target) as sess:
    sess.run(v.initializer)
    result = sess.run(a + v)
"""


def test_the_jobs_of_a_cluster_are_this_process(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(CLUSTER)
    assert run_script(tmp_path / "script.py", device="cpu")["result"] == 7
