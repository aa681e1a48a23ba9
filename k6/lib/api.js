// The calls that the scripts make, and what of an answer is checked.

import http from 'k6/http';
import { check } from 'k6';

export const BASE_URL = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/$/, '');

// Tells k6 which statuses are right: others count into http_req_failed.
export function expect(...statuses) {
  http.setResponseCallback(http.expectedStatuses(...statuses));
}

function post(name, path, body) {
  return http.post(BASE_URL + path, JSON.stringify(body), {
    headers: { 'Content-Type': 'application/json' },
    tags: { name },
    timeout: '10s',
  });
}

export function publishCoupon(userId, couponId) {
  return post('publish coupon', `/api/v0/users/${userId}/coupons/publish`, { couponId });
}

export function requestCoupon(userId, couponId) {
  return post('request coupon', '/api/v1/coupons', { userId, couponId });
}

function parse(response) {
  try {
    return response.json();
  } catch (_) {
    return {};
  }
}

// A granted coupon: the envelope that clients rely on, and a rank.
export function checkIssued(response) {
  const body = parse(response);
  return check(response, {
    'status is 200': (r) => r.status === 200,
    'code is 200 and message OK': () => body.code === 200 && body.message === 'OK',
    'the coupon has a rank': () => Boolean(body.data) && body.data.rank >= 1,
  });
}

// The stable error code of a refusal, such as COUPON_SOLD_OUT.
export function errorOf(response) {
  return parse(response).error || `HTTP ${response.status}`;
}
