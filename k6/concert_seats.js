// Looking: up to 4,000 people who ask for their token, wait until they are served, and look at
// the free seats of a date.
//
//   FIRST_USER  the first of the users, who must never have asked (1)
//   P95_MS      the limit for the 95th percentile (1000)

import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { checkSeats, readSeats, expect } from './lib/api.js';
import { enter, person } from './lib/line.js';
import { stages } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const DATES = 199; // of the demo, from 2 on: the first one may be sold out
const EVERY = 10; // seconds between two looks at the line
const TIMES = 12;

const lists = new Counter('lists');

export const options = {
  scenarios: {
    concert_seats: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[10, 666], [20, 2000], [20, 4000], [20, 4000], [10, 0]]),
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
  const dateId = 2 + Math.floor(Math.random() * DATES);
  if (pass !== null && checkSeats(readSeats(dateId, pass))) {
    lists.add(1);
  }
  sleep(3 + 4 * Math.random());
}

export const handleSummary = summaryOf('concert_seats');
