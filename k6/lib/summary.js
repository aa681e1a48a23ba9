// What a run leaves behind in RESULTS (default k6/results): <name>.json with everything
// k6 measured, <name>.txt and <name>.html with what a person wants to read. They are made
// from the same figures after the run. k6's own dashboard is not used: it measures on the
// cores that are measured, and cost 3 ms of the 99th percentile on two of them.

import { page } from './report.js';

const RESULTS = __ENV.RESULTS || 'k6/results';

// What a sample carries of its request; there are eight samples for each, and k6 runs on the
// cores that it measures.
export const systemTags = ['status', 'error'];

export const trendStats = ['min', 'avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'max'];

function milliseconds(value) {
  return value === undefined ? '-' : `${value.toFixed(2)} ms`;
}

function requestRows(metrics) {
  const requests = metrics.http_reqs.values;
  const failed = metrics.http_req_failed.values;
  return [
    ['requests', `${requests.count} (${requests.rate.toFixed(1)}/s)`],
    ['failed', `${failed.passes} (${(failed.rate * 100).toFixed(3)} %)`],
  ];
}

// All requests, and our own trends.
function durationRows(metrics) {
  const builtin = /^(http|iteration|group)/;
  return Object.keys(metrics)
    .filter((name) => metrics[name].type === 'trend')
    .filter((name) => name === 'http_req_duration' || !builtin.test(name))
    .sort()
    .map((name) => [
      name === 'http_req_duration' ? 'duration' : name,
      ...trendStats.map((stat) => milliseconds(metrics[name].values[stat])),
    ]);
}

// Our own counters; k6's begin with one of these words.
function counterRows(metrics) {
  const builtin = /^(http|data|iteration|vus|checks|dropped)/;
  return Object.keys(metrics)
    .filter((name) => metrics[name].type === 'counter' && !builtin.test(name))
    .sort()
    .map((name) => [name, metrics[name].values.count]);
}

function thresholdRows(metrics) {
  return Object.keys(metrics)
    .sort()
    .flatMap((name) =>
      Object.entries(metrics[name].thresholds || {}).map(([limit, { ok }]) =>
        [{ ok }, name, limit]));
}

function checkRows(group) {
  return group.checks
    .map((check) => [check.name, check.passes, check.fails])
    .concat(...group.groups.map(checkRows));
}

function figuresOf(name, data) {
  const thresholds = thresholdRows(data.metrics);
  return {
    name,
    seconds: (data.state.testRunDurationMs / 1000).toFixed(1),
    when: new Date().toISOString(),
    kept: thresholds.every(([{ ok }]) => ok),
    stats: trendStats,
    requests: requestRows(data.metrics),
    durations: durationRows(data.metrics),
    counters: counterRows(data.metrics),
    thresholds,
    checks: checkRows(data.root_group),
  };
}

function line(label, value) {
  return `  ${label.padEnd(26)}${value}\n`;
}

function text(figures) {
  const rows = [
    ...figures.requests,
    ...figures.durations.flatMap(([name, ...values]) =>
      trendStats.map((stat, i) => [`${name} ${stat}`, values[i]])),
    ...figures.counters,
  ];
  return `\n${figures.name}, ${figures.seconds} s\n\n` +
    rows.map(([label, value]) => line(label, value)).join('') +
    '\nchecks (passed, failed)\n' +
    figures.checks.map(([name, passes, fails]) => line(`${passes}, ${fails}`, name)).join('') +
    '\nthresholds\n' +
    figures.thresholds
      .map(([{ ok }, name, limit]) => line(`${ok ? 'kept' : 'BROKEN'}  ${name}`, limit))
      .join('') +
    '\n';
}

// The handleSummary of a script called `name`.
export function summaryOf(name) {
  return (data) => {
    const figures = figuresOf(name, data);
    return {
      stdout: text(figures),
      [`${RESULTS}/${name}.txt`]: text(figures),
      [`${RESULTS}/${name}.json`]: JSON.stringify(data, null, 2),
      [`${RESULTS}/${name}.html`]: page(figures),
    };
  };
}
