/* The commands of the table in main.c; each one is defined in its cmd_*.c. */
#ifndef ONRUSH_ONRUSH_COMMANDS_H
#define ONRUSH_ONRUSH_COMMANDS_H

#include "onrush/ctl.h"

extern const struct ctl_command CMD_MIGRATE;
extern const struct ctl_command CMD_TOPICS;
extern const struct ctl_command CMD_SEED;
extern const struct ctl_command CMD_KEYGEN;
extern const struct ctl_command CMD_PASSKEY;
extern const struct ctl_command CMD_APIKEY;
extern const struct ctl_command CMD_WAIT;
extern const struct ctl_command CMD_PROBE;
extern const struct ctl_command CMD_STATUS;
extern const struct ctl_command CMD_COUPON_LIST;
extern const struct ctl_command CMD_COUPON_SHOW;
extern const struct ctl_command CMD_COUPON_CREATE;
extern const struct ctl_command CMD_COUPON_OPEN;
extern const struct ctl_command CMD_COUPON_CLOSE;
extern const struct ctl_command CMD_COUPON_RESTOCK;
extern const struct ctl_command CMD_COUPON_EXPORT;
extern const struct ctl_command CMD_VERIFY;
extern const struct ctl_command CMD_LINE_VERIFY;
extern const struct ctl_command CMD_DLQ_LIST;
extern const struct ctl_command CMD_DLQ_SHOW;
extern const struct ctl_command CMD_DLQ_REPLAY;

#endif
