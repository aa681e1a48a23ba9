/* The report of a verification, for people and for programs. */
#ifndef ONRUSH_ONRUSH_VERIFY_REPORT_H
#define ONRUSH_ONRUSH_VERIFY_REPORT_H

#include "onrush/verify.h"

/* Prints the report; `damaged`: the file's own sum does not fit. */
void verify_report_text(const struct verify *v, bool damaged);
void verify_report_json(const struct verify *v, bool damaged);

#endif
