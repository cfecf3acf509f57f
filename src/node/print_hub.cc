#include "node/print_hub.h"

#include <utility>

namespace perdure::node {
namespace {

bool is_wanted(const LogQuery& query, const LogLine& line) {
    if (line.origin == LogOrigin::Print && line.verbosity > query.verbosity) {
        return false;
    }
    return query.process.empty() || query.process == line.source;
}

std::size_t cost_of(const LogLine& line) {
    return sizeof(LogLine) + line.source.size() + line.text.size();
}

}  // namespace

class PrintHub::Subscription final : public LogSubscription {
public:
    Subscription(std::shared_ptr<Shown> shown, LogQuery query_in, LogReceiver receiver_in)
        : query(std::move(query_in)), receiver(std::move(receiver_in)), shown_(std::move(shown)) {}
    ~Subscription() override {
        const std::lock_guard lock(shown_->mutex);
        shown_->followers.remove(this);
    }

    const LogQuery query;
    const LogReceiver receiver;

private:
    const std::shared_ptr<Shown> shown_;
};

PrintHub::PrintHub(const Clock& clock, PrintLimits limits, LogSink* print_file)
    : clock_(clock), limits_(limits), shown_(std::make_shared<Shown>()) {
    shown_->print_file = print_file;
    shown_->kept_bytes_max = limits.kept_bytes_max;
}

PrintHub::~PrintHub() {
    close();
    const std::lock_guard lock(shown_->mutex);
    shown_->print_file = nullptr;
}

void PrintHub::attach(Gate& gate) {
    const std::lock_guard lock(output_.mutex);
    output_.channel = std::make_unique<Gate::Channel>(gate);
}

void PrintHub::print(kernel::Print print, SequenceNumber seen) {
    LogLine line;
    line.time = clock_.wall_now();
    line.origin = LogOrigin::Print;
    line.verbosity = print.level;
    line.source = to_string(print.source);
    line.text = std::move(print.text);
    if (line.text.size() > limits_.print_bytes_max) {
        const std::size_t cut = line.text.size() - limits_.print_bytes_max;
        line.text.resize(limits_.print_bytes_max);
        line.text += " … " + std::to_string(cut) + " bytes cut (print_bytes_max)";
    }
    const std::size_t bytes = cost_of(line);
    const std::lock_guard lock(output_.mutex);
    if (output_.channel == nullptr) {
        return;
    }
    if (output_.channel->waiting_bytes() + bytes > limits_.queue_bytes_max) {
        ++output_.dropped;
        return;
    }
    if (output_.dropped != 0) {
        LogLine missing = line;
        missing.verbosity = 0;
        missing.source = "kernel:distro:sys";
        missing.text = std::to_string(std::exchange(output_.dropped, 0)) +
                       " prints were dropped (print_queue_bytes_max)";
        output_.channel->send(
            Seen<LogLine>(std::move(missing), seen), bytes,
            [shown = shown_](LogLine shown_line) { show(*shown, std::move(shown_line)); });
    }
    output_.channel->send(
        Seen<LogLine>(std::move(line), seen), bytes,
        [shown = shown_](LogLine shown_line) { show(*shown, std::move(shown_line)); });
}

void PrintHub::write(LogLevel level, std::string_view text) {
    LogLine line;
    line.time = clock_.wall_now();
    line.origin = LogOrigin::Node;
    line.level = level;
    line.source = "node";
    line.text = std::string(text);
    show(*shown_, std::move(line));
}

void PrintHub::show(Shown& shown, LogLine line) {
    const std::lock_guard lock(shown.mutex);
    if (line.origin == LogOrigin::Print) {
        if (shown.sources.size() < kPrintSourcesMax) {
            shown.sources.insert(line.source);
        }
        if (shown.print_file != nullptr) {
            shown.print_file->write(LogLevel::Info,
                                    format_event("print", {LogField("source", line.source),
                                                           LogField("level", int{line.verbosity}),
                                                           LogField("text", line.text)}));
        }
    }
    for (Subscription* follower : shown.followers) {
        if (is_wanted(follower->query, line)) {
            follower->receiver.line(line);
        }
    }
    shown.kept_bytes += cost_of(line);
    shown.kept.push_back(std::move(line));
    while (shown.kept_bytes > shown.kept_bytes_max && shown.kept.size() > 1) {
        shown.kept_bytes -= cost_of(shown.kept.front());
        shown.kept.pop_front();
    }
}

bool PrintHub::has_printed(const std::string& source) const {
    const std::lock_guard lock(shown_->mutex);
    return shown_->sources.contains(source);
}

Result<std::unique_ptr<LogSubscription>> PrintHub::subscribe(LogQuery query, LogReceiver receiver) {
    auto subscription =
        std::make_unique<Subscription>(shown_, std::move(query), std::move(receiver));
    const std::unique_lock lock(shown_->mutex);
    std::vector<const LogLine*> wanted;
    for (auto line = shown_->kept.rbegin(); line != shown_->kept.rend(); ++line) {
        if (wanted.size() >= subscription->query.lines_max) {
            break;
        }
        if (is_wanted(subscription->query, *line)) {
            wanted.push_back(&*line);
        }
    }
    for (auto line = wanted.rbegin(); line != wanted.rend(); ++line) {
        subscription->receiver.line(**line);
    }
    if (subscription->query.until == LogQuery::Until::Forever) {
        shown_->followers.push_back(subscription.get());
    } else {
        subscription->receiver.end({});
    }
    return std::unique_ptr<LogSubscription>(std::move(subscription));
}

void PrintHub::close() {
    std::list<Subscription*> followers;
    const std::lock_guard lock(shown_->mutex);
    followers.swap(shown_->followers);
    for (Subscription* follower : followers) {
        follower->receiver.end({});
    }
}

}  // namespace perdure::node
