// The spike: requests arrive at 1, 100, 300, 70, 25, 8 and 0 per second whether or not
// earlier ones were answered, half of them for a campaign of 1,000 pieces, half for one
// without a limit that is open for five minutes.
//
//   LIMITED_COUPON, UNLIMITED_COUPON  the campaigns (20 and 21: the demo's, which
//                                     `onrush seed --reset 20 21` begins anew)

import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { errorOf, expect, requestCoupon } from './lib/api.js';
import { stages, users } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

const LIMITED = Number(__ENV.LIMITED_COUPON || 20);
const UNLIMITED = Number(__ENV.UNLIMITED_COUPON || 21);

const issued = new Counter('coupons_issued');
const refused = new Counter('coupons_refused');
const errors = new Counter('coupon_errors');

export const options = {
  scenarios: {
    spike: {
      executor: 'ramping-arrival-rate',
      startRate: 1,
      timeUnit: '1s',
      preAllocatedVUs: users(10),
      maxVUs: users(200),
      stages: stages([
        [30, 1], [5, 100], [60, 300], [30, 70], [60, 25], [120, 8], [10, 0],
      ]),
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: ['p(95)<2000'],
    coupon_errors: ['count==0'],
    dropped_iterations: ['count==0'],
  },
  summaryTrendStats: trendStats,
};

expect(200, 409);

export default function () {
  const n = exec.scenario.iterationInTest;
  const couponId = n % 2 === 0 ? LIMITED : UNLIMITED;
  const response = requestCoupon(n + 1, couponId);
  if (response.status === 200) {
    issued.add(1);
  } else if (response.status === 409 && errorOf(response).startsWith('COUPON_')) {
    refused.add(1);
  } else {
    errors.add(1);
  }
}

export const handleSummary = summaryOf('coupon_spike');
