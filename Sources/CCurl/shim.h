#ifndef FERRY_CCURL_SHIM_H
#define FERRY_CCURL_SHIM_H

#include <curl/curl.h>

/*
 * Swift calls no variadic C: one function for each type an option's value has. Each returns what
 * curl_easy_setopt or curl_easy_getinfo returned.
 */

static inline CURLcode ferry_curl_set_long(CURL *handle, CURLoption option, long value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ferry_curl_set_string(CURL *handle, CURLoption option, const char *value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ferry_curl_set_pointer(CURL *handle, CURLoption option, void *value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ferry_curl_set_headers(CURL *handle, struct curl_slist *value)
{
    return curl_easy_setopt(handle, CURLOPT_HTTPHEADER, value);
}

/* The body is copied: its length must have been set by CURLOPT_POSTFIELDSIZE before. */
static inline CURLcode ferry_curl_set_body(CURL *handle, const void *value)
{
    return curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, value);
}

static inline CURLcode ferry_curl_set_writer(
    CURL *handle, size_t (*writer)(char *, size_t, size_t, void *))
{
    return curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, writer);
}

static inline CURLcode ferry_curl_set_header_reader(
    CURL *handle, size_t (*reader)(char *, size_t, size_t, void *))
{
    return curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, reader);
}

static inline CURLcode ferry_curl_set_reader(
    CURL *handle, size_t (*reader)(char *, size_t, size_t, void *))
{
    return curl_easy_setopt(handle, CURLOPT_READFUNCTION, reader);
}

static inline CURLcode ferry_curl_set_upload_size(CURL *handle, curl_off_t size)
{
    return curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, size);
}

static const size_t ferry_curl_abort_reading = CURL_READFUNC_ABORT;

/* The errno of the last failure to connect, or 0. */
static inline CURLcode ferry_curl_get_errno(CURL *handle, long *number)
{
    return curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, number);
}

/* Bytes of the requests that were sent. */
static inline CURLcode ferry_curl_get_request_size(CURL *handle, long *size)
{
    return curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, size);
}

#endif
