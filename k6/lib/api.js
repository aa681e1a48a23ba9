// The calls that the scripts make, and what of an answer is checked.

import http from 'k6/http';
import { check } from 'k6';

export const BASE_URL = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/$/, '');

// Tells k6 which statuses are right: others count into http_req_failed.
export function expect(...statuses) {
  http.setResponseCallback(http.expectedStatuses(...statuses));
}

function call(method, name, path, body, pass) {
  const headers = body ? { 'Content-Type': 'application/json' } : {};
  if (pass) {
    headers.Authorization = `Bearer ${pass}`;
  }
  return http.request(method, BASE_URL + path, body && JSON.stringify(body), {
    headers,
    tags: { name },
    timeout: '10s',
  });
}

function post(name, path, body, pass) {
  return call('POST', name, path, body, pass);
}

function get(name, path, pass) {
  return call('GET', name, path, null, pass);
}

export function publishCoupon(userId, couponId) {
  return post('publish coupon', `/api/v0/users/${userId}/coupons/publish`, { couponId });
}

export function requestCoupon(userId, couponId) {
  return post('request coupon', '/api/v1/coupons', { userId, couponId });
}

export function charge(userId, amount) {
  return post('charge', `/api/v1/users/${userId}/balance/charge`, { amount });
}

export function chargePoints(userId, amount) {
  return call('PUT', 'charge points', '/points/charge', { userId, amount });
}

export function readBalance(userId) {
  return get('balance', `/api/v1/users/${userId}/balance`);
}

export function readRanks() {
  return get('ranks', '/api/v1/products/ranks');
}

// products: [{id, quantity}]
export function order(userId, products) {
  return post('order', '/api/v1/orders', { userId, products });
}

export function readOrder(orderId) {
  return get('order status', `/api/v1/orders/${orderId}`);
}

// A place in the general line.
export function takeToken(userId) {
  return post('queue token', '/queue/tokens', { userId });
}

// The same for who asks again and again: what is asked is made once, and an answer that
// nobody looks into is not kept.
export function tokenTaker(userId) {
  const url = `${BASE_URL}/queue/tokens`;
  const body = JSON.stringify({ userId });
  const headers = { 'Content-Type': 'application/json' };
  const kept = { headers, timeout: '10s' };
  const dropped = { headers, timeout: '10s', responseType: 'none' };
  return (look) => http.post(url, body, look ? kept : dropped);
}

export function readStatus(userId) {
  return get('queue status', `/queue/tokens/status/${userId}`);
}

// What needs a pass.
export function readConcerts(pass) {
  return get('concerts', '/concerts', pass);
}

export function readDates(concertId, pass) {
  return get('dates', `/concerts/${concertId}/available-dates`, pass);
}

export function readSeats(dateId, pass) {
  return get('seats', `/concerts/${dateId}/available-seats`, pass);
}

export function reserve(userId, seatId, pass) {
  return post('reserve seat', '/concerts/reserve-seat', { userId, seatId }, pass);
}

export function pay(userId, reservationId) {
  return post('pay', '/payments', { userId, reservationId });
}

export function readPayment(paymentId) {
  return get('payment status', `/payments/${paymentId}`);
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

// Checks of an answer's data: {what is checked: data => whether it is so}.
function checkData(response, checks) {
  const { data } = parse(response);
  const all = { 'status is 200': (r) => r.status === 200 };
  for (const [name, holds] of Object.entries(checks)) {
    all[name] = () => Boolean(data) && holds(data);
  }
  return check(response, all);
}

// After a charge the balance is at least what was charged.
export function checkCharged(response, userId, amount) {
  return checkData(response, {
    'the balance after the charge holds it': (d) =>
      d.userId === userId && d.amount >= amount,
  });
}

export function checkBalance(response, userId, amount) {
  return checkData(response, {
    'the balance is what the charge said': (d) => d.userId === userId && d.amount === amount,
  });
}

export function checkRanks(response) {
  return checkData(response, {
    'products are ranked': ({ products }) =>
      products.length > 0 && products.every((p) => p.id && p.name && p.price >= 0) &&
      products.every((p, i) => i === 0 || p.sold <= products[i - 1].sold),
  });
}

export function checkOrdered(response, userId, totalAmount) {
  return checkData(response, {
    'the order is taken at its price': (d) =>
      d.orderId > 0 && d.userId === userId && d.status === 'PENDING' &&
      d.totalAmount === totalAmount,
  });
}

export function checkCompleted(response) {
  return checkData(response, {
    'the order is completed after two seconds': (d) => d.status === 'COMPLETED',
  });
}

export function checkToken(response, userId) {
  return checkData(response, {
    'a token, and how long it takes': (d) =>
      typeof d.token === 'string' && d.token.length > 0 && d.userId === userId &&
      d.queueOrder >= 0 && d.remainingTime >= 0,
  });
}

// The token is the same on every ask.
export function checkSameToken(response, token) {
  return check(response, {
    'the token is the same': (r) => r.status === 200 && r.body.includes(`"token":"${token}"`),
  });
}

// A position and a time to wait may get better only; `last` is what was told before.
export function checkStatus(response, last) {
  return checkData(response, {
    'the position gets no worse': (d) => d.queueOrder <= last.queueOrder,
    'the time to wait gets no longer': (d) => d.remainingTime <= last.remainingTime,
    'the token stays the same': (d) => d.token === last.token,
  });
}

export function checkConcerts(response, count) {
  return checkData(response, {
    'all concerts are there': ({ concerts }) =>
      concerts.length === count && concerts.every((c) => c.id > 0 && c.name),
  });
}

export function checkDates(response, concertId, count) {
  return checkData(response, {
    'all dates of the concert are there': ({ concerts }) =>
      concerts.length === count &&
      concerts.every((d) => d.id > 0 && d.concertId === concertId && d.date),
  });
}

export function checkSeats(response) {
  return checkData(response, {
    'free seats have ids, numbers and prices': ({ seats }) =>
      seats.length > 0 && seats.every((s) => s.seatId > 0 && s.seatNo > 0 && s.price >= 0),
  });
}

// One seat is held for the user, or somebody else was faster.
export function checkReserved(response, userId, seatId) {
  const { data } = parse(response);
  return check(response, {
    'held or taken': (r) =>
      (r.status === 200 && data.userId === userId && data.status === 'HELD' &&
        data.seatIds.length === 1 && data.seatIds[0] === seatId) ||
      (r.status === 409 && errorOf(r) === 'SEAT_TAKEN'),
  });
}

export function checkPaying(response, userId, reservationId) {
  return checkData(response, {
    'the payment is taken': (d) =>
      d.paymentId > 0 && d.userId === userId && d.reservationId === reservationId,
  });
}

export function checkPaid(response) {
  return checkData(response, {
    'the payment is completed after a second': (d) => d.status === 'COMPLETED',
  });
}

// The stable error code of a refusal, such as COUPON_SOLD_OUT.
export function errorOf(response) {
  return parse(response).error || `HTTP ${response.status}`;
}
