// Going through the waiting line, as a person does.

import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { checkStatus, checkToken, readStatus, takeToken } from './api.js';

const FIRST_USER = Number(__ENV.FIRST_USER || 1);

const people = new Counter('people');

let me = 0; // this virtual user

// Each person is a user of their own, and comes back as the same. Counts those who came.
export function person() {
  if (me === 0) {
    me = FIRST_USER + exec.vu.idInTest - 1;
    people.add(1);
  }
  return me;
}

// Asks for a token, and then every `seconds` how it stands, at most `times` times. Gives the
// pass once it is served; null when it was not, or when an answer was wrong.
export function enter(userId, seconds, times) {
  let answer = takeToken(userId);
  let right = checkToken(answer, userId);
  for (let asked = 0; right; asked += 1) {
    const told = answer.json('data');
    if (told.status === 'ACTIVE') {
      return told.token;
    }
    if (told.status !== 'WAITING' || asked === times) {
      return null;
    }
    sleep(seconds);
    answer = readStatus(userId);
    right = checkStatus(answer, told);
  }
  return null;
}
