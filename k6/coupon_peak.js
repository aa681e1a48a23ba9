// The coupon peak: two waves, of 700 and of 1,000 people, each asking for the same coupon
// again and again with a pause of 1 to 3 seconds, always as a new user. 80 seconds, about
// 8,700 requests; all must be granted, so the campaign needs that many pieces.
//
//   COUPON_ID  the campaign (1)
//   P99_MS     the limit for the 99th percentile (12)

import { sleep } from 'k6';
import exec from 'k6/execution';
import { checkIssued, expect, publishCoupon } from './lib/api.js';
import { stages } from './lib/scale.js';
import { summaryOf, systemTags, trendStats } from './lib/summary.js';

const couponId = Number(__ENV.COUPON_ID || 1);

export const options = {
  scenarios: {
    peak: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([
        [10, 10], [10, 10], [10, 700], [10, 10],
        [10, 10], [10, 1000], [10, 10], [10, 0],
      ]),
      gracefulRampDown: '15s',
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: [`p(99)<${__ENV.P99_MS || 12}`],
    checks: ['rate==1'],
  },
  summaryTrendStats: trendStats,
  systemTags,
};

expect(200);

export default function () {
  const userId = exec.vu.idInTest * 1000000 + exec.vu.iterationInScenario;
  checkIssued(publishCoupon(userId, couponId));
  sleep(1 + 2 * Math.random());
}

export const handleSummary = summaryOf('coupon_peak');
