// Misaligned accesses of device memory. The host forgives them, a GPU does not: the compiler's alignment checks
// (-fsanitize=alignment) call the handler here, whose data has the layout that all compilers agreed on.
#include <cstdint>

#include "internal.hpp"

namespace xpemu {
namespace {

struct TypeName {
    std::uint16_t kind, info;
    char text[1];  // quoted: 'float4'
};

struct Mismatch {
    const char* file;
    std::uint32_t line, column;
    const TypeName* type;
    unsigned char log_alignment, access;
};

void check_alignment(const Mismatch& site, std::uintptr_t address) {
    const std::uintptr_t alignment = std::uintptr_t{1} << site.log_alignment;
    if (!thread_active || address % alignment == 0) return;
    const Region* region = find_region(reinterpret_cast<void*>(address), false);
    if (!region) return;  // a variable of the thread: where it lies is the compiler's affair
    const long long offset = static_cast<long long>(address) - reinterpret_cast<long long>(region->base);
    char message[512];
    std::snprintf(message, sizeof message, "%s:%u: an access of type %s at byte %lld of %s, which is no multiple of %llu",
                  site.file ? site.file : "?", site.line, site.type->text, offset,
                  *region->name ? region->name : "an allocation", static_cast<unsigned long long>(alignment));
    Event("misaligned")
        .text("array", region->name)
        .text("kind", region->kind)
        .number("offset", offset)
        .number("alignment", static_cast<long long>(alignment))
        .text("message", message)
        .die();
}

}  // namespace
}  // namespace xpemu

extern "C" __attribute__((visibility("default"), used)) void __ubsan_handle_type_mismatch_v1(const void* site, std::uintptr_t address) {
    xpemu::check_alignment(*static_cast<const xpemu::Mismatch*>(site), address);
}
