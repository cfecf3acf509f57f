#include "transport/http_exchange.h"

#include <array>
#include <charconv>
#include <utility>

namespace perdure::transport {
namespace {

// chunk := size:hex CRLF bytes CRLF (RFC 9112 §7.1)
void append_chunk(std::string& out, std::string_view piece) {
    std::array<char, 16> digits;
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), piece.size(), 16).ptr;
    out.append(digits.data(), end);
    out += "\r\n";
    out += piece;
    out += "\r\n";
}

}  // namespace

ExchangeLink::ExchangeLink(ExchangeConnection& connection, std::size_t queue_bytes_max) {
    auto state = state_.lock();
    state->connection = &connection;
    state->queue_bytes_max = queue_bytes_max;
}

void ExchangeLink::respond(HttpResponse response) {
    auto state = state_.lock();
    if (!state->connection || state->phase != Phase::Open) {
        return;
    }
    state->phase = Phase::Answered;
    state->connection->post_response(std::move(response));
}

bool ExchangeLink::begin_stream(HttpResponse head) {
    auto state = state_.lock();
    if (state->phase != Phase::Open) {
        return false;
    }
    state->phase = Phase::Streaming;
    if (state->connection) {
        state->connection->post_stream_head(std::move(head));
    }
    return true;
}

void ExchangeLink::pump(State& state) {
    if (!state.pump_posted) {
        state.pump_posted = true;
        state.connection->post_pump();
    }
}

HttpStream::Write ExchangeLink::write(std::string_view piece) {
    auto state = state_.lock();
    if (!state->connection || state->phase != Phase::Streaming) {
        return HttpStream::Write::Gone;
    }
    if (piece.empty()) {
        return HttpStream::Write::Taken;  // an empty chunk would end the stream
    }
    const std::size_t room = state->queue_bytes_max - state->queued_bytes - state->taken_bytes;
    if (piece.size() > room) {
        return HttpStream::Write::Full;
    }
    append_chunk(state->queue, piece);
    state->queued_bytes += piece.size();
    pump(*state);
    return HttpStream::Write::Taken;
}

void ExchangeLink::finish() {
    auto state = state_.lock();
    if (state->phase != Phase::Streaming) {
        return;
    }
    state->phase = Phase::Finished;
    if (state->connection) {
        pump(*state);
    }
}

void ExchangeLink::on_gone(std::function<void()> gone) {
    {
        auto state = state_.lock();
        if (state->connection) {
            state->gone = std::move(gone);
            return;
        }
    }
    gone();
}

void ExchangeLink::abandon() {
    respond({.status = 500,
             .headers = {{"Content-Type", "text/plain"}},
             .body = "no answer was given\n"});
    finish();
}

StreamBatch ExchangeLink::take() {
    auto state = state_.lock();
    state->pump_posted = false;
    StreamBatch batch;
    batch.bytes = std::exchange(state->queue, {});
    state->taken_bytes += std::exchange(state->queued_bytes, 0);
    if (state->phase == Phase::Finished && !state->last_taken) {
        state->last_taken = true;
        batch.last = true;
        batch.bytes += "0\r\n\r\n";
    }
    return batch;
}

void ExchangeLink::batch_written() {
    state_.lock()->taken_bytes = 0;
}

void ExchangeLink::detach() {
    std::function<void()> gone;
    {
        auto state = state_.lock();
        state->connection = nullptr;
        state->queue.clear();
        gone = std::exchange(state->gone, nullptr);
    }
    if (gone) {
        gone();
    }
}

HttpStream::Write HttpStream::write(std::string_view piece) {
    return exchange_->link().write(piece);
}
void HttpStream::finish() {
    exchange_->link().finish();
}
void HttpStream::on_gone(std::function<void()> gone) {
    exchange_->link().on_gone(std::move(gone));
}

void HttpResponder::respond(HttpResponse response) const {
    exchange_->link().respond(std::move(response));
}

HttpStream HttpResponder::begin_stream(HttpResponse head) const {
    exchange_->link().begin_stream(std::move(head));
    return HttpStream(exchange_);
}

}  // namespace perdure::transport
