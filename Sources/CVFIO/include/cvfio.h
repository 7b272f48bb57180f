#ifndef FERRY_CVFIO_H
#define FERRY_CVFIO_H
#endif
