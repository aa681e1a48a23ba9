// Waiting: up to 3,000 people who take a token and ask every five seconds how they stand,
// at most 24 times, until they are served. Then somebody else comes in their place.
//
//   FIRST_USER  the first of the users, who must never have asked (1)
//   P95_MS      the limit for the 95th percentile (1000)

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';
import { expect } from './lib/api.js';
import { enter } from './lib/line.js';
import { stages } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const FIRST_USER = Number(__ENV.FIRST_USER || 1);
const EVERY = 5;
const TIMES = 24;
const LIVES = 10000; // people that a virtual user may be, one after the other

const people = new Counter('people');
const served = new Counter('served');
const waited = new Trend('waited', true);

export const options = {
  scenarios: {
    queue_status: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[30, 1000], [30, 2000], [30, 3000], [30, 3000], [10, 0]]),
      gracefulRampDown: '15s',
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: [`p(95)<${__ENV.P95_MS || 1000}`],
    checks: ['rate==1'],
  },
  summaryTrendStats: trendStats,
};

expect(200);

export default function () {
  const userId = FIRST_USER + exec.vu.idInTest * LIVES + exec.vu.iterationInScenario;
  const began = Date.now();
  people.add(1);
  if (enter(userId, EVERY, TIMES) !== null) {
    served.add(1);
    waited.add(Date.now() - began);
  }
  sleep(Math.random());
}

export const handleSummary = summaryOf('queue_status');
