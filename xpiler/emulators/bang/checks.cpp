// The rules of the device: which space an operand lies in, its extent, alignment, size and overlap.
#include <link.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tasks.hpp"

namespace xpemu {

Mode mode() {
    static const Mode chosen = [] {
        const char* text = std::getenv("XPILER_BANG_MODE");
        return !text ? Mode::normal : !std::strcmp(text, "strict") ? Mode::strict : !std::strcmp(text, "loose") ? Mode::loose : Mode::normal;
    }();
    return chosen;
}

bool weights_as_rows() {
    static const bool rows = std::getenv("XPILER_BANG_WEIGHTS") && !std::strcmp(std::getenv("XPILER_BANG_WEIGHTS"), "rows");
    return rows;
}

static void report(const char* event, const Call& call, const char* format, va_list list, bool ends, bool fails = false) {
    char words[3500], message[4000];
    std::vsnprintf(words, sizeof words, format, list);
    std::snprintf(message, sizeof message, "%s in line %d: %s", call.name, call.line, words);
    Event e(event);
    e.number("line", call.line).text("intrinsic", call.name).text("message", message);
    if (ends && fails) e.die();
    if (ends) return e.fault();
    static const bool wanted = std::getenv("XPILER_BANG_NOTES") != nullptr;
    static int written = 0;
    if (wanted && ++written <= 64) e.write();
}

void violation(const char* event, const Call& call, const char* format, ...) {
    va_list list;
    va_start(list, format);
    report(event, call, format, list, true, true);
    std::abort();
}

void irregular(const char* event, const Call& call, const char* format, ...) {
    va_list list;
    va_start(list, format);
    report(event, call, format, list, mode() == Mode::strict);
    va_end(list);
}

void improper(const char* event, const Call& call, const char* format, ...) {
    va_list list;
    va_start(list, format);
    report(event, call, format, list, mode() != Mode::loose);
    va_end(list);
}

void note(const Call& call, const char* format, ...) {
    va_list list;
    va_start(list, format);
    report("bang-note", call, format, list, false);
    va_end(list);
}

const char* name_of(Space space) {
    static const char* const names[] = {"GDRAM", "LDRAM", "SRAM", "NRAM", "WRAM", "host memory"};
    return names[static_cast<int>(space)];
}

// ------------------------------------------------------------------------------------------------- spaces

static bool on_stack(const void* p) {
    return in_task() && p > __builtin_frame_address(0) && p <= stack_top();
}

// Constants and other variables of the program's own image: device data.
static bool in_image(const void* p) {
    struct Search {
        std::uintptr_t at;
        bool found;
    } search{reinterpret_cast<std::uintptr_t>(p), false};
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
            auto& s = *static_cast<Search*>(data);
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& segment = info->dlpi_phdr[i];
                const std::uintptr_t low = info->dlpi_addr + segment.p_vaddr;
                if (segment.p_type == PT_LOAD && s.at >= low && s.at < low + segment.p_memsz) s.found = true;
            }
            return s.found ? 1 : 0;
        },
        &search);
    return search.found;
}

static bool is_scratch(const Region& r, Space& space) {
    static const struct {
        const char* kind;
        Space space;
    } kinds[] = {{"nram", Space::nram}, {"wram", Space::wram}, {"sram", Space::sram}, {"ldram", Space::ldram}};
    for (auto& k : kinds)
        if (!std::strcmp(r.kind, k.kind)) {
            space = k.space;
            return true;
        }
    return false;
}

Space space_of(const void* p) {
    if (Region* r = find_region(p, true)) {
        Space space;
        if (is_scratch(*r, space)) return space;
        return std::strcmp(r->kind, "host") ? Space::gdram : Space::host;
    }
    if (on_stack(p)) return Space::nram;
    return in_image(p) ? Space::gdram : Space::host;
}

bool is_in(const void* p, Space space) {
    const Space found = space_of(p);
    return found == space || (space == Space::gdram && found == Space::ldram);
}

std::string describe(const void* p) {
    char text[200];
    Region* r = find_region(p, true);
    const char* space = name_of(space_of(p));
    if (!r) {
        std::snprintf(text, sizeof text, "(%s%s)", on_stack(p) ? "a local variable, " : "", on_stack(p) ? "on the NRAM stack" : space);
        return text;
    }
    const long offset = static_cast<long>(static_cast<const unsigned char*>(p) - r->base);
    char name[80];
    if (*r->name) std::snprintf(name, sizeof name, "%s", r->name);
    else std::snprintf(name, sizeof name, "allocation %ld", r->id);
    if (offset) std::snprintf(text, sizeof text, "(%s %+ld bytes, %s)", name, offset, space);
    else std::snprintf(text, sizeof text, "(%s, %s)", name, space);
    return text;
}

// Ends the program when [p, p + bytes) leaves its variable or allocation.
void check_extent(const Call& call, const Operand& o, unsigned long segments) {
    Region* r = find_region(o.at, true);
    if (!r) return;
    if (r->freed) violation("oob", call, "%s %s: use after free", o.role, describe(o.at).c_str());
    const auto* low = static_cast<const unsigned char*>(o.at);
    const long before = r->base - low, after = (low + o.bytes) - (r->base + r->size);
    if (before <= 0 && after <= 0) return;
    Space space;
    char extent[160];
    if (before > 0) std::snprintf(extent, sizeof extent, "starts %ld bytes before", before);
    else if (segments > 1)
        std::snprintf(extent, sizeof extent, "has %lu segments (segnum + 1); the last one ends %ld bytes past the end of", segments, after);
    else std::snprintf(extent, sizeof extent, "takes %zu bytes and ends %ld bytes past the end of", o.bytes, after);
    if (is_scratch(*r, space))
        return improper("bang-capacity", call, "%s %s %s the %s variable %s of %zu bytes", o.role, describe(o.at).c_str(), extent, name_of(space),
                        r->name, r->size);
    char message[600];
    std::snprintf(message, sizeof message, "%s in line %d: %s %s %s its %zu bytes", call.name, call.line, o.role, describe(o.at).c_str(), extent, r->size);
    Event("oob")
        .number("line", call.line)
        .text("intrinsic", call.name)
        .text("access", o.written ? "write" : "read")
        .text("array", r->name)
        .text("kind", r->kind)
        .number("allocation", r->id)
        .number("size", static_cast<long long>(r->size))
        .number("offset", before > 0 ? -before : static_cast<long long>(r->size))
        .text("message", message)
        .fault();
}

void check_operand(const Call& call, const Operand& o) {
    const Space found = space_of(o.at);
    if (!o.at) violation("bang-space", call, "%s is a null pointer", o.role);
    const bool fits = found == o.space || (o.space == Space::ldram && on_stack(o.at));
    if (!fits) {
        if (found == Space::host) violation("bang-space", call, "%s points to host memory; it must lie in %s", o.role, name_of(o.space));
        improper("bang-space", call, "%s %s must lie in %s", o.role, describe(o.at).c_str(), name_of(o.space));
    }
    check_extent(call, o);
    check_pending(call, o);
    note_shared(call, o);
}

// ------------------------------------------------------------------------------------------------ operands

void computes_on(const Call& call, const Operand& o) {
    check_operand(call, o);
    note_computing(call, o);
}

static void check_overlap(const Call& call, const Operand& a, const Operand& b, Overlap rule) {
    if (rule == Overlap::any || (!a.written && !b.written)) return;
    const auto *x = static_cast<const char*>(a.at), *y = static_cast<const char*>(b.at);
    if (!a.bytes || !b.bytes || x + a.bytes <= y || y + b.bytes <= x) return;
    if (rule == Overlap::same && x == y) return;
    const Operand &to = a.written ? a : b, &from = a.written ? b : a;
    improper("bang-overlap", call, "%s %s overlaps %s %s%s", to.role, describe(to.at).c_str(), from.role, describe(from.at).c_str(),
             rule == Overlap::same ? "; they may only be the same or apart" : "; they must be apart");
}

bool enter(const Call& call, std::initializer_list<Operand> operands, const Rule& rule) {
    if (!in_task()) fatal("trap", "%s in host code", call.name);
    if (on_memory_core()) return false;
    begin_in(stream_compute);
    for (const Operand& o : operands) {
        computes_on(call, o);
        const auto address = reinterpret_cast<std::uintptr_t>(o.at);
        if (architecture.exact() && o.space == Space::nram) {
            if (rule.address2 > 1 && address % rule.address2)
                improper("bang-alignment", call, "%s %s is not aligned to %u bytes, as mtp_%d needs it", o.role, describe(o.at).c_str(), rule.address2,
                         architecture.number);
            if (rule.size2 > 1 && o.bytes % rule.size2)
                improper("bang-size", call, "%s takes %zu bytes, no multiple of %u, as mtp_%d needs it", o.role, o.bytes, rule.size2, architecture.number);
        } else if (!architecture.exact() && rule.size3 > 1 && o.bytes % rule.size3) {
            improper("bang-size", call, "%s takes %zu bytes, no multiple of %u", o.role, o.bytes, rule.size3);
        }
    }
    for (const Operand& a : operands)
        for (const Operand& b : operands)
            if (&a < &b) check_overlap(call, a, b, rule.overlap);
    return true;
}

}  // namespace xpemu
