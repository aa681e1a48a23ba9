// Buying: up to 300 people who charge their balance, go through the line, hold a seat that
// nobody else wants, pay for it, and look a second later whether it is theirs.
//
//   FIRST_USER  the first of the accounts in a row (1)
//   FIRST_SEAT  the first of the seats (1)
//   SEATS       how many there are (100)
//   P95_MS      the limit for the 95th percentile (100)

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';
import {
  chargePoints, checkCharged, checkPaid, checkPaying, checkReserved,
  expect, pay, readPayment, reserve,
} from './lib/api.js';
import { enter, person } from './lib/line.js';
import { stages } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const FIRST_SEAT = Number(__ENV.FIRST_SEAT || 1);
const SEATS = Number(__ENV.SEATS || 100);
const PRICE = 10000;
const EVERY = 10; // seconds between two looks at the line
const TIMES = 12;

const charges = new Counter('charges');
const held = new Counter('seats_held');
const payments = new Counter('payments');
const paying = new Trend('payment_to_completed', true);

export const options = {
  scenarios: {
    seat_payment: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[10, 100], [10, 200], [10, 300], [30, 300], [10, 0]]),
      gracefulRampDown: '15s',
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: [`p(95)<${__ENV.P95_MS || 100}`],
    checks: ['rate==1'],
  },
  summaryTrendStats: trendStats,
};

expect(200);

function payFor(userId, reservationId) {
  const asked = pay(userId, reservationId);
  if (!checkPaying(asked, userId, reservationId)) {
    return;
  }
  payments.add(1);
  sleep(1);
  const now = readPayment(asked.json('data.paymentId'));
  if (checkPaid(now)) {
    const { createdAt, settledAt } = now.json('data');
    paying.add(Date.parse(settledAt) - Date.parse(createdAt));
  }
}

export default function () {
  const nth = exec.scenario.iterationInTest;
  const userId = person();
  if (nth >= SEATS || !checkCharged(chargePoints(userId, PRICE), userId, PRICE)) {
    return;
  }
  charges.add(1);
  const pass = enter(userId, EVERY, TIMES);
  if (pass !== null) {
    const answer = reserve(userId, FIRST_SEAT + nth, pass);
    if (checkReserved(answer, userId, FIRST_SEAT + nth)) {
      held.add(1);
      payFor(userId, answer.json('data.reservationId'));
    }
  }
  sleep(0.5 + Math.random());
}

export const handleSummary = summaryOf('seat_payment');
