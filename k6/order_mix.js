// The order mix: 100, 200, 300 people, who stay for 30 seconds and leave. Everyone asks
// what is sold most; a fifth charge 10,000 won and look at their balance; a tenth of those
// order one of the products they saw and find the order completed two seconds later.
//
// Each person is an account of their own, so the balance is known to the won.
//
//   FIRST_USER  the first of 300 accounts in a row (1)
//   P99_MS      the limit for the 99th percentile (12)

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';
import {
  checkBalance, checkCharged, checkCompleted, checkOrdered, checkRanks,
  charge, expect, order, readBalance, readOrder, readRanks,
} from './lib/api.js';
import { stages } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const FIRST_USER = Number(__ENV.FIRST_USER || 1);
const CHARGE = 10000;
const CHARGING = 0.2;
const ORDERING = 0.1;

const charges = new Counter('charges');
const chargedWon = new Counter('charged_won');
const orders = new Counter('orders');
const settling = new Trend('order_to_completed', true);

export const options = {
  scenarios: {
    mix: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[10, 100], [10, 200], [10, 300], [30, 300], [10, 0]]),
      gracefulRampDown: '15s',
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: [`p(99)<${__ENV.P99_MS || 12}`],
    checks: ['rate==1'],
  },
  summaryTrendStats: trendStats,
};

expect(200);

function chargeAndLook(userId) {
  const charged = charge(userId, CHARGE);
  if (!checkCharged(charged, userId, CHARGE)) {
    return false;
  }
  charges.add(1);
  chargedWon.add(CHARGE);
  return checkBalance(readBalance(userId), userId, charged.json('data.amount'));
}

function orderOne(userId, product) {
  const placed = order(userId, [{ id: product.id, quantity: 1 }]);
  if (!checkOrdered(placed, userId, product.price)) {
    return;
  }
  orders.add(1);
  sleep(2);
  const now = readOrder(placed.json('data.orderId'));
  if (checkCompleted(now)) {
    const { createdAt, settledAt } = now.json('data');
    settling.add(Date.parse(settledAt) - Date.parse(createdAt));
  }
}

export default function () {
  const userId = FIRST_USER + exec.vu.idInTest - 1;
  const ranks = readRanks();
  if (checkRanks(ranks) && Math.random() < CHARGING) {
    if (chargeAndLook(userId) && Math.random() < ORDERING) {
      const products = ranks.json('data.products');
      orderOne(userId, products[Math.floor(Math.random() * products.length)]);
    }
  }
  sleep(0.5 + Math.random());
}

export const handleSummary = summaryOf('order_mix');
