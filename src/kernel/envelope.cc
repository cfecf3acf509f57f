#include "kernel/envelope.h"

#include "kernel/process.h"
#include "kernel/worker.h"

namespace perdure::kernel {

const SharedBytes& Content::body() const {
    return std::visit([](const auto& either) -> const auto& { return either.body; }, message);
}

const std::optional<std::string>& Content::metadata() const {
    return std::visit([](const auto& either) -> const auto& { return either.metadata; }, message);
}

const std::vector<Capability>& Content::capabilities() const {
    return std::visit([](const auto& either) -> const auto& { return either.capabilities; },
                      message);
}

Envelope::Envelope() = default;
Envelope::~Envelope() = default;

std::size_t Envelope::counted_bytes() const {
    std::size_t total = content->body().size();
    if (content->metadata()) {
        total += content->metadata()->size();
    }
    if (blob) {
        total += blob->bytes.size() + (blob->mime ? blob->mime->size() : 0);
    }
    return total;
}

void Envelope::run(Worker& worker, std::unique_ptr<Task> self) {
    worker.arrive(std::unique_ptr<Envelope>(static_cast<Envelope*>(self.release())));
}

}  // namespace perdure::kernel
