#include "ferry_workload.h"
