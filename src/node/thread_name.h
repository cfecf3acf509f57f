#pragma once

#include <pthread.h>

namespace perdure::node {

/// At most 15 characters; docs/architecture/threads.md lists all names.
inline void name_this_thread(const char* name) {
    pthread_setname_np(pthread_self(), name);
}

}  // namespace perdure::node
