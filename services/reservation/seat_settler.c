#include "reservation/seat_settler.h"

#include "base/die.h"
#include "crypto/digest.h"

static const struct pg_stmt settle = { "seat_settle",
	"select k.nth, s.outcome from"
	" reservation.settle($1::bigint[], $2::uuid[], $3::uuid[], $4::uuid) s"
	" join unnest($1::bigint[]) with ordinality k (payment_id, nth)"
	" using (payment_id)" };

/* A function of the payment: it is paid once, whatever happens. */
static uuid
transfer_id(int64_t payment_id)
{
	const str parts[] = { STR("onrush-seat-payment-v1"),
		{ (const char *)&payment_id, sizeof(payment_id) } };
	struct sha256 hash = sha256_of(parts, ARRAY_LEN(parts));

	return uuid_from_hash(hash.b);
}

enum err
seat_settle(struct pgsync *pg, struct arena *arena, const int64_t *payment_ids,
    size_t count, enum err *outcomes)
{
	uuid *transfers = arena_alloc(arena, 2 * count * sizeof(*transfers));
	uuid *events = transfers + count;
	const struct pg_result *rows;
	struct pg_params p;
	enum err err;

	ASSERT(count > 0 && count <= SEAT_SETTLER_BATCH_MAX);
	for (size_t i = 0; i < count; i++) {
		transfers[i] = transfer_id(payment_ids[i]);
		events[i] = uuid_new();
		outcomes[i] = ERR_PAYMENT_EXISTS;
	}
	pg_params_init(&p, arena);
	pg_add_i64_array(&p, payment_ids, count);
	pg_add_uuid_array(&p, transfers, count);
	pg_add_uuid_array(&p, events, count);
	pg_add_uuid(&p, uuid_new());
	pgsync_queue(pg, &settle, &p);
	if ((err = pgsync_run(pg)) != ERR_OK)
		return err;
	rows = pgsync_result(pg, 0);
	for (int i = 0; i < pg_rows(rows); i++) {
		str code = pg_str(rows, i, 1);

		outcomes[pg_i64(rows, i, 0) - 1] =
		    err_from_code(arena_printf(arena, "%.*s", STR_ARG(code)));
	}
	return ERR_OK;
}
