// Events as JSON lines: appended to the file named by XPILER_EVENTS, or printed to stderr.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "internal.hpp"

namespace xpemu {

double host_milliseconds() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static bool flag(const char* name) {
    const char* value = std::getenv(name);
    return value && *value && std::strcmp(value, "0") != 0;
}

bool tracing() {
    static const bool on = flag("XPILER_TRACE");
    static const int most = 1 << 13;  // nobody reads more; without an end it would be all that there is
    static int traced = 0;
    if (on && traced++ < most) return true;
    if (on && traced == most + 1 && trace_only()) fatal("endless", "more than %d launches and copies", most);
    return false;
}

bool trace_only() {
    static const bool on = flag("XPILER_TRACE_ONLY");
    return on;
}

bool reversed() {
    static const bool on = std::getenv("XPILER_SCHEDULE") && !std::strcmp(std::getenv("XPILER_SCHEDULE"), "reverse");
    return on;
}

bool goes_on() {
    static const bool on = flag("XPILER_GOES_ON");
    return on;
}

void Event::put(const char* text) {
    while (*text && used_ < sizeof buffer_ - 3) buffer_[used_++] = *text++;
}

void Event::quote(const char* text) {
    put("\"");
    for (; text && *text; ++text) {
        char piece[8] = {*text, 0};
        if (*text == '"' || *text == '\\') std::snprintf(piece, sizeof piece, "\\%c", *text);
        else if (static_cast<unsigned char>(*text) < 0x20) std::snprintf(piece, sizeof piece, "\\u%04x", *text);
        put(piece);
    }
    put("\"");
}

void Event::key(const char* name) {
    if (used_ > 1) put(", ");
    quote(name);
    put(": ");
}

Event::Event(const char* name) {
    put("{");
    text("event", name);
    describe_place(*this);
}

Event& Event::text(const char* name, const char* value) {
    key(name);
    quote(value);
    return *this;
}

Event& Event::number(const char* name, long long value) {
    char text[32];
    std::snprintf(text, sizeof text, "%lld", value);
    return raw(name, text);
}

Event& Event::real(const char* name, double value) {
    char text[40];
    if (std::isfinite(value)) std::snprintf(text, sizeof text, "%.17g", value);
    else std::snprintf(text, sizeof text, "\"%s\"", std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    return raw(name, text);
}

Event& Event::raw(const char* name, const char* json) {
    key(name);
    put(json);
    return *this;
}

void Event::write() {
    buffer_[used_++] = '}';
    buffer_[used_++] = '\n';
    static const int file = [] {
        const char* path = std::getenv("XPILER_EVENTS");
        return path && *path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : 2;
    }();
    std::size_t done = 0;
    while (done < used_) {
        ssize_t n = ::write(file, buffer_ + done, used_ - done);
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
    }
}

void Event::die() {
    write();
    fflush_unlocked(stdout);  // the fault may have happened inside printf
    _exit(exit_code);
}

void Event::fault() {
    if (!goes_on()) die();
    static int written = 0;
    if (++written <= 4) write();
}

void fatal(const char* event, const char* format, ...) {
    char message[4096];
    va_list list;
    va_start(list, format);
    std::vsnprintf(message, sizeof message, format, list);
    va_end(list);
    Event(event).text("message", message).die();
}

void warn(const char* event, const char* format, ...) {
    static int written = 0;
    if (++written > 32) return;  // the first ones tell the story
    char message[4096];
    va_list list;
    va_start(list, format);
    std::vsnprintf(message, sizeof message, format, list);
    va_end(list);
    Event(event).text("message", message).write();
}

}  // namespace xpemu
