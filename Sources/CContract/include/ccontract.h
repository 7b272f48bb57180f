#ifndef CCONTRACT_H
#define CCONTRACT_H

#include <stddef.h>

/* The text of openapi/ferry.json, which is part of the program. */
const unsigned char *ferry_contract(void);
size_t ferry_contract_size(void);

#endif
