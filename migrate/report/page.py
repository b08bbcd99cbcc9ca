"""The style and the script of the HTML report."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{--bg:#fff;--fg:#1c2024;--dim:#646b73;--line:#dfe3e8;--soft:#f5f7f9;--del:#fdecec;--delm:#f7b8b8;--ins:#e6f6ea;--insm:#a6dfb4;
--error:#b3261e;--warning:#8a5a00;--good:#1a7f37;--link:#0b5cad}
@media(prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e3e6e9;--dim:#98a1ab;--line:#30363d;--soft:#1d2127;--del:#3a1d1f;--delm:#7a2e31;
--ins:#16301f;--insm:#26623a;--error:#ff8f87;--warning:#f0b84a;--good:#5fd07f;--link:#7cb7ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1400px;padding:0 16px 64px;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:24px;margin:24px 0 0}h2{font-size:18px;margin:28px 0 8px}a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
header p{color:var(--dim);margin:4px 0 16px;overflow-wrap:anywhere}
.totals{display:flex;flex-wrap:wrap;gap:8px}
.total{border:1px solid var(--line);border-radius:8px;padding:8px 14px;color:var(--dim)}
.total b{display:block;font-size:22px;color:var(--fg);font-variant-numeric:tabular-nums}
.total.error b{color:var(--error)}.total.warning b{color:var(--warning)}.total.good b{color:var(--good)}
.bar{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:12px;align-items:center;background:var(--bg);padding:12px 0;
margin-top:16px;border-bottom:1px solid var(--line)}
#search{flex:1 1 240px;min-width:0;padding:8px 12px;font:inherit;color:inherit;background:var(--soft);border:1px solid var(--line);border-radius:8px}
button{font:inherit;color:inherit;background:var(--soft);border:1px solid var(--line);border-radius:8px;padding:6px 12px;cursor:pointer}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:500}td:first-child{overflow-wrap:anywhere;min-width:9em}.n{text-align:right;font-variant-numeric:tabular-nums}
.bad{color:var(--error);font-weight:600}
details.file{border:1px solid var(--line);border-radius:8px;margin:12px 0;scroll-margin-top:64px}
summary{padding:8px 12px;cursor:pointer;background:var(--soft);border-radius:8px}.path{font-weight:600;overflow-wrap:anywhere}
.reason{margin:6px 12px;color:var(--dim)}
.badge{font-size:12px;border:1px solid currentColor;border-radius:10px;padding:0 8px;color:var(--dim);white-space:nowrap}
.badge.error{color:var(--error)}.badge.warning{color:var(--warning)}.badge.good{color:var(--good)}
.diff{padding-bottom:4px}
.r{display:grid;grid-template-columns:5ch minmax(0,1fr) 5ch minmax(0,1fr);font:13px/1.5 ui-monospace,Menlo,Consolas,monospace}
.r i{font-style:normal;color:var(--dim);text-align:right;padding-right:8px;user-select:none}
.r code{font:inherit;white-space:pre-wrap;overflow-wrap:anywhere;padding:0 6px;tab-size:4}
.ch .a,.de .a{background:var(--del)}.ch code.b,.in code.b{background:var(--ins)}
mark{color:inherit;border-radius:3px}.a mark{background:var(--delm)}.b mark{background:var(--insm)}
.gap{color:var(--dim);text-align:center;background:var(--soft);line-height:1.2}
.finding{margin:4px 12px 6px;padding:4px 10px;border-left:3px solid var(--line);background:var(--soft);border-radius:0 6px 6px 0;overflow-wrap:anywhere}
.finding.error{border-color:var(--error)}.finding.warning{border-color:var(--warning)}.finding.good{border-color:var(--good)}
.rule,.where{color:var(--dim);font-size:13px}.advice{color:var(--fg);font-size:14px}.advice::before{content:"\\2192  "}
[hidden],.hide{display:none!important}
@media(max-width:760px){body{padding:0 8px 48px}.r{grid-template-columns:4ch minmax(0,1fr)}.r.eq .b,.r.de .b{display:none}.r.in .a,.r.in i:first-child{display:none}
.total{flex:1 1 40%;padding:6px 10px}.finding{margin-left:4px;margin-right:4px}}
@media print{.bar{display:none}}
"""

SCRIPT: Final = """
(function(){
var q=document.getElementById('search'),m=document.getElementById('manual'),c=document.getElementById('clear'),none=document.getElementById('none');
var rule='',files=[].slice.call(document.querySelectorAll('details.file')),texts=files.map(function(f){return f.textContent.toLowerCase()});
function apply(){
  var words=q.value.toLowerCase().split(/\\s+/).filter(Boolean),shown=0;
  files.forEach(function(f,i){
    var ok=words.every(function(w){return texts[i].indexOf(w)>=0}),any=false;
    [].forEach.call(f.querySelectorAll('.finding'),function(x){
      var keep=(!rule||x.dataset.rule===rule)&&(!m.checked||x.classList.contains('manual'));
      x.classList.toggle('hide',!keep);any=any||keep});
    if(rule||m.checked)ok=ok&&any;
    f.classList.toggle('hide',!ok);shown+=ok;
    var row=document.querySelector('#files tr[data-file="'+f.dataset.file+'"]');if(row)row.classList.toggle('hide',!ok)});
  none.hidden=shown>0;c.hidden=!rule;c.textContent=rule?rule+' \\u00d7':''}
q.addEventListener('input',apply);m.addEventListener('change',apply);
c.addEventListener('click',function(){rule='';apply()});
document.addEventListener('click',function(e){
  var a=e.target.closest('a');if(!a)return;
  if(a.dataset.rule){rule=a.dataset.rule;apply()}
  else{var t=document.getElementById((a.getAttribute('href')||'').slice(1));if(t&&t.tagName==='DETAILS')t.open=true}});
apply()})();
"""
