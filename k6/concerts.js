// Looking: up to 6,000 people who ask for their token, wait until they are served, and look at
// the concerts.
//
//   FIRST_USER  the first of the users, who must never have asked (1)
//   P95_MS      the limit for the 95th percentile (1000)

import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { checkConcerts, readConcerts, expect } from './lib/api.js';
import { enter, person } from './lib/line.js';
import { stages } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const CONCERTS = Number(__ENV.CONCERTS || 100);
const EVERY = 10; // seconds between two looks at the line
const TIMES = 12;

const lists = new Counter('lists');

export const options = {
  scenarios: {
    concerts: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[10, 1000], [20, 3000], [20, 6000], [20, 6000], [10, 0]]),
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
  const pass = enter(person(), EVERY, TIMES);
  if (pass !== null && checkConcerts(readConcerts(pass), CONCERTS)) {
    lists.add(1);
  }
  sleep(3 + 4 * Math.random());
}

export const handleSummary = summaryOf('concerts');
