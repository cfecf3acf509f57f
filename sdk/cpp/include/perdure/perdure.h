#pragma once

// All of the guest library. Each header states what its functions promise.

#include "perdure/address.h"       // ids and addresses
#include "perdure/blob.h"          // bytes beside a message
#include "perdure/bytes.h"         // owned bytes
#include "perdure/capabilities.h"  // rights
#include "perdure/codec.h"         // typed values as bytes
#include "perdure/message.h"       // what travels
#include "perdure/process.h"       // start, print, on_exit, exit
#include "perdure/receive.h"       // the mailbox
#include "perdure/result.h"        // value or reason
#include "perdure/send.h"          // Requests and Responses
#include "perdure/state.h"         // what outlives a crash
