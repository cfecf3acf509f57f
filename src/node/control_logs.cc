#include "node/control_logs.h"

#include <optional>
#include <utility>

#include "base/guarded.h"
#include "node/control_api.h"

namespace perdure::node {
namespace {

using transport::HttpStream;

/// What the receiver writes to. Lines may come before the stream is open, because an error of the
/// subscription must still be able to become the status; there are at most as many of them as the
/// node keeps.
///
/// Shared by the receiver and the handler, neither of which outlives the other for sure.
class LogPipe {
public:
    void write(const Json& line) {
        auto state = state_.lock();
        std::string text = line.to_text() + "\n";
        if (!state->stream) {
            state->early.push_back(std::move(text));
            return;
        }
        put(*state, text);
    }

    void end(const Result<void>& how) {
        if (!how) {
            write(error_json(how.error()));
        }
        auto state = state_.lock();
        state->ended = true;
        if (state->stream) {
            state->stream->finish();
        }
    }

    void open(HttpStream stream) {
        auto state = state_.lock();
        state->stream.emplace(std::move(stream));
        for (const std::string& text : std::exchange(state->early, {})) {
            put(*state, text);
        }
        if (state->ended) {
            state->stream->finish();
        }
    }

private:
    struct State {
        std::optional<HttpStream> stream;
        std::vector<std::string> early;
        std::uint64_t dropped = 0;
        bool ended = false;
    };

    // Writing to the stream only queues; its own lock is a leaf below this one.
    static void put(State& state, const std::string& text) {
        if (state.dropped != 0) {
            const std::string note = Json::object({{"dropped", state.dropped}}).to_text() + "\n";
            if (state.stream->write(note) != HttpStream::Write::Taken) {
                ++state.dropped;
                return;
            }
            state.dropped = 0;
        }
        if (state.stream->write(text) == HttpStream::Write::Full) {
            ++state.dropped;
        }
    }

    Guarded<State> state_;
};

}  // namespace

Result<void> stream_logs(NodeApi& api, const LogQuery& query,
                         const transport::HttpResponder& responder) {
    const auto pipe = std::make_shared<LogPipe>();
    auto opened =
        api.logs(query, {.line = [pipe](const LogLine& line) { pipe->write(to_json(line)); },
                         .end = [pipe](const Result<void>& how) { pipe->end(how); }});
    if (!opened) {
        return std::move(opened).error();
    }
    HttpStream stream = responder.begin_stream(
        {.status = 200, .headers = {{"Content-Type", "application/x-ndjson"}}});
    pipe->open(stream);
    // The function owns the subscription and is dropped after its one call: never inside the
    // receiver, because a stream that ends is let go on the server's thread. Shared only because
    // functions must be copyable.
    const std::shared_ptr<LogSubscription> subscription = std::move(opened).value();
    stream.on_gone([subscription] {});
    return {};
}

}  // namespace perdure::node
