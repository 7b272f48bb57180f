#include "ccontract.h"

// #embed is of C23; clang has it since 19 for every C, and says so.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char contract[] = {
#embed "../../openapi/ferry.json"
};

const unsigned char *ferry_contract(void) { return contract; }

size_t ferry_contract_size(void) { return sizeof contract; }
