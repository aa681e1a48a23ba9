// Points charge: from 50 to 1,000 people who charge 10,000 to 300,000 won, each time for
// one of a thousand accounts, so that an account is often charged twice at once.
//
//   FIRST_USER  the first of the accounts (1)
//   P95_MS      the limit for the 95th percentile (50)

import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { chargePoints, checkCharged, expect } from './lib/api.js';
import { stages } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const FIRST_USER = Number(__ENV.FIRST_USER || 1);
const ACCOUNTS = 1000;
const LEAST = 10000;
const MOST = 300000;

const charges = new Counter('charges');
const chargedWon = new Counter('charged_won');

export const options = {
  scenarios: {
    charge: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[10, 50], [10, 200], [10, 500], [10, 1000], [20, 1000], [10, 0]]),
      gracefulRampDown: '15s',
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: [`p(95)<${__ENV.P95_MS || 50}`],
    checks: ['rate==1'],
  },
  summaryTrendStats: trendStats,
};

expect(200);

function between(least, most) {
  return least + Math.floor(Math.random() * (most - least + 1));
}

export default function () {
  const userId = between(FIRST_USER, FIRST_USER + ACCOUNTS - 1);
  const amount = between(LEAST, MOST);
  if (checkCharged(chargePoints(userId, amount), userId, amount)) {
    charges.add(1);
    chargedWon.add(amount);
  }
  sleep(0.5 + Math.random());
}

export const handleSummary = summaryOf('points_charge');
