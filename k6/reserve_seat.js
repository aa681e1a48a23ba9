// A hundred seats: up to 4,000 people who ask for their token, wait until they are served, and
// try to get one of the same hundred seats. Held (200) and taken (409) are both right answers.
//
//   FIRST_USER  the first of the users, who must never have asked (1)
//   FIRST_SEAT  the first of the hundred seats (1)
//   P95_MS      the limit for the 95th percentile (1000)

import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { checkReserved, expect, reserve } from './lib/api.js';
import { enter, person } from './lib/line.js';
import { stages } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const FIRST_SEAT = Number(__ENV.FIRST_SEAT || 1);
const SEATS = 100;
const EVERY = 10; // seconds between two looks at the line
const TIMES = 12;

const held = new Counter('seats_held');
const taken = new Counter('seats_taken');

export const options = {
  scenarios: {
    reserve_seat: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[10, 500], [20, 2000], [20, 4000], [20, 4000], [10, 0]]),
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

expect(200, 409);

export default function () {
  const userId = person();
  const pass = enter(userId, EVERY, TIMES);
  if (pass !== null) {
    const seatId = FIRST_SEAT + Math.floor(Math.random() * SEATS);
    const answer = reserve(userId, seatId, pass);
    if (checkReserved(answer, userId, seatId)) {
      (answer.status === 200 ? held : taken).add(1);
    }
  }
  sleep(2 + 2 * Math.random());
}

export const handleSummary = summaryOf('reserve_seat');
