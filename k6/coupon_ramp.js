// The long ramp: up to 1,500 people over ten minutes, each asking once a second for one
// of the coupons 8 to 13. Granted (200) and refused by the rules of the sale (409) are
// both right answers.

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { errorOf, expect, requestCoupon } from './lib/api.js';
import { stages } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const COUPONS = [8, 9, 10, 11, 12, 13];

const issued = new Counter('coupons_issued');
const refused = new Counter('coupons_refused');

export const options = {
  scenarios: {
    ramp: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[120, 500], [120, 1000], [180, 1500], [120, 1000], [60, 0]]),
      gracefulRampDown: '15s',
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: ['p(95)<2000'],
    checks: ['rate==1'],
  },
  summaryTrendStats: trendStats,
};

expect(200, 409);

export default function () {
  const userId = exec.vu.idInTest * 100000 + exec.vu.iterationInScenario + 1;
  const couponId = COUPONS[Math.floor(Math.random() * COUPONS.length)];
  const response = requestCoupon(userId, couponId);
  const ok = check(response, {
    'granted or refused by a rule': (r) =>
      r.status === 200 || (r.status === 409 && errorOf(r).startsWith('COUPON_')),
  });
  if (ok) {
    (response.status === 200 ? issued : refused).add(1);
  }
  sleep(1);
}

export const handleSummary = summaryOf('coupon_ramp');
