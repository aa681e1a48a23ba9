// A run as a page for people: one HTML file with all in it, well-formed as XML too, so
// that whoever adds to it can check that it is still whole.

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; }
table { border-collapse: collapse; margin: 0 0 1.5em; }
th, td { border-bottom: 1px solid #8884; padding: 0.2em 1em 0.2em 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.kept { color: #0a7d32; } .broken { color: #c00; font-weight: bold; }
pre { background: #8881; padding: 1em; overflow: auto; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } }
`;

export function escape(text) {
  return String(text).replace(/[&<>"]/g, (c) =>
    ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
}

function cell(value) {
  if (value !== null && typeof value === 'object') {
    return `<td class="${value.ok ? 'kept' : 'broken'}">${value.ok ? 'kept' : 'BROKEN'}</td>`;
  }
  const number = /^-?[\d.,]+( (ms|%|\/s))?$/.test(String(value));
  return `<td${number ? ' class="number"' : ''}>${escape(value)}</td>`;
}

// A heading and a table of rows; nothing when there are none. A cell is text or {ok}.
function section(title, head, rows) {
  if (rows.length === 0) {
    return '';
  }
  const heads = head.map((h) => `<th>${escape(h)}</th>`).join('');
  const lines = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
  return `<h2>${escape(title)}</h2>\n<table>\n<tr>${heads}</tr>\n${lines}\n</table>\n`;
}

// figures: {name, seconds, when, kept, requests, durations, counters, thresholds, checks},
// all but the first four as rows of cells.
export function page(figures) {
  const { name, seconds, when, kept } = figures;
  const verdict = kept ? 'Every threshold was kept.' : 'A threshold was BROKEN.';
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>${escape(name)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(name)}</h1>
<p>${escape(when)}, ${escape(seconds)} s. <span class="${kept ? 'kept' : 'broken'}">${verdict}</span></p>
${section('Thresholds', ['', 'of', 'limit'], figures.thresholds)}
${section('Requests', ['', ''], figures.requests)}
${section('Times', ['', ...figures.stats], figures.durations)}
${section('Checks', ['', 'passed', 'failed'], figures.checks)}
${section('Counted', ['', ''], figures.counters)}
</body>
</html>
`;
}
