// What a run leaves behind: <name>.json with everything k6 measured and <name>.txt with
// what a person wants to read, in RESULTS (default k6/results). The HTML report comes
// from k6's own dashboard: K6_WEB_DASHBOARD=true K6_WEB_DASHBOARD_EXPORT=FILE.

const RESULTS = __ENV.RESULTS || 'k6/results';

export const trendStats = ['min', 'avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'max'];

function milliseconds(value) {
  return value === undefined ? '-' : `${value.toFixed(2)} ms`;
}

function row(label, value) {
  return `  ${label.padEnd(26)}${value}\n`;
}

function requestRows(metrics) {
  const requests = metrics.http_reqs.values;
  const duration = metrics.http_req_duration.values;
  const failed = metrics.http_req_failed.values;
  let text = row('requests', `${requests.count} (${requests.rate.toFixed(1)}/s)`);
  text += row('failed', `${failed.passes} (${(failed.rate * 100).toFixed(3)} %)`);
  for (const stat of trendStats) {
    text += row(`duration ${stat}`, milliseconds(duration[stat]));
  }
  return text;
}

// Our own counters; k6's begin with one of these words.
function counterRows(metrics) {
  const builtin = /^(http|data|iteration|vus|checks|dropped)/;
  let text = '';
  for (const name of Object.keys(metrics).sort()) {
    if (metrics[name].type === 'counter' && !builtin.test(name)) {
      text += row(name, metrics[name].values.count);
    }
  }
  return text;
}

function thresholdRows(metrics) {
  let text = '';
  for (const name of Object.keys(metrics).sort()) {
    for (const [limit, { ok }] of Object.entries(metrics[name].thresholds || {})) {
      text += row(`${ok ? 'kept' : 'BROKEN'}  ${name}`, limit);
    }
  }
  return text;
}

// The handleSummary of a script called `name`.
export function summaryOf(name) {
  return (data) => {
    const seconds = (data.state.testRunDurationMs / 1000).toFixed(1);
    const text =
      `\n${name}, ${seconds} s\n\n${requestRows(data.metrics)}` +
      `${counterRows(data.metrics)}\nthresholds\n${thresholdRows(data.metrics)}\n`;
    return {
      stdout: text,
      [`${RESULTS}/${name}.txt`]: text,
      [`${RESULTS}/${name}.json`]: JSON.stringify(data, null, 2),
    };
  };
}
