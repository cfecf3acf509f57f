#pragma once

/// Which `standard` interface this guest imports, times 100: 70 and 80 for kinode:process 0.7.0 and
/// 0.8.0, 100 for kinode:process or hyperware:process 1.0.0. The build that chooses a glue folder
/// other than kinode-1.0.0 or hyperware-1.0.0 defines it.
#ifndef PERDURE_WIT_VERSION
#define PERDURE_WIT_VERSION 100
#endif
