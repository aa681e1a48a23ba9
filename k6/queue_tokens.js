// Tokens: a thousand people more every ten seconds, up to ten thousand who all ask for their
// token again and again, at once or after a second.
//
//   FIRST_USER  the first of the users, who must never have asked (1)
//   P95_MS      the limit for the 95th percentile (1000)

import { sleep } from 'k6';
import { checkSameToken, checkToken, expect, tokenTaker } from './lib/api.js';
import { person } from './lib/line.js';
import { stages } from './lib/scale.js';
import { summaryOf, systemTags, trendStats } from './lib/summary.js';

let mine = null; // of this person
let take = null;

export const options = {
  scenarios: {
    queue_tokens: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: stages([[100, 10000], [10, 10000], [10, 0]]),
      gracefulRampDown: '15s',
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: [`p(95)<${__ENV.P95_MS || 1000}`],
    checks: ['rate==1'],
  },
  summaryTrendStats: trendStats,
  systemTags,
};

expect(200);

// Every status must be 200. What an answer says is looked at once as a whole, and then in
// one of ten: k6 runs on the cores that it measures, and looking costs as much as asking.
const LOOKED_AT = 10;

function checkAnswer(answer, userId) {
  if (mine !== null) {
    checkSameToken(answer, mine);
  } else if (checkToken(answer, userId)) {
    mine = answer.json('data.token');
  }
}

export default function () {
  const userId = person();
  const look = mine === null || __ITER % LOOKED_AT === 0;
  take = take || tokenTaker(userId);
  const answer = take(look);
  if (look) {
    checkAnswer(answer, userId);
  }
  sleep(Math.random() < 0.5 ? 0 : 1);
}

export const handleSummary = summaryOf('queue_tokens');
