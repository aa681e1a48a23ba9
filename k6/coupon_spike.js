// The spike: requests arrive at 1, 100, 300, 70, 25, 8 and 0 per second whether or not
// earlier ones were answered, half of them for a campaign of 1,000 pieces, half for one
// without a limit that is open for five minutes. Both are created for the run.
//
//   ADMIN_KEY  the key for /admin calls, with which the campaigns are created
//   LIMITED_COUPON, UNLIMITED_COUPON  campaigns to use instead

import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { createCampaign, errorOf, expect, requestCoupon } from './lib/api.js';
import { stages, users } from './lib/scale.js';
import { summaryOf, trendStats } from './lib/summary.js';

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

function create(couponId, name, quantity) {
  const now = Date.now();
  const response = createCampaign(
    {
      couponId,
      name,
      quantity,
      discountRate: 0.3,
      opensAt: new Date(now - 1000).toISOString(),
      closesAt: new Date(now + 5 * 60 * 1000).toISOString(),
    },
    __ENV.ADMIN_KEY,
  );
  if (response.status >= 300) {
    exec.test.abort(`campaign ${couponId} could not be created: ${response.body}`);
  }
  return couponId;
}

export function setup() {
  if (__ENV.LIMITED_COUPON && __ENV.UNLIMITED_COUPON) {
    return {
      limited: Number(__ENV.LIMITED_COUPON),
      unlimited: Number(__ENV.UNLIMITED_COUPON),
    };
  }
  if (!__ENV.ADMIN_KEY) {
    exec.test.abort('set ADMIN_KEY, or LIMITED_COUPON and UNLIMITED_COUPON');
  }
  const base = Date.now();
  return {
    limited: create(base, 'spike, 1,000 pieces', 1000),
    unlimited: create(base + 1, 'spike, five minutes', null),
  };
}

export default function (campaigns) {
  const n = exec.scenario.iterationInTest;
  const couponId = n % 2 === 0 ? campaigns.limited : campaigns.unlimited;
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
