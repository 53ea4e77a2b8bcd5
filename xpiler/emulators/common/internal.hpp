// Shared between the runtime's own translation units only.
#pragma once

#include <string>

#include "process.hpp"

namespace xpemu {

constexpr std::uint32_t poison_word = 0x7fffdead;  // NaN as float and double, a large int, no plausible index
constexpr int exit_code = 86;

void poison(unsigned char* at, std::size_t bytes, std::uint32_t word = poison_word);  // phase follows the address
bool is_poison(const unsigned char* at, std::size_t bytes);

struct Region {
    unsigned char* base;  // first byte of the buffer
    std::size_t size;
    unsigned char *low, *high;  // the whole mapping, guards included
    const char* name;           // registered name, shared array name, or "" for cudaMalloc
    const char* kind;           // device | host | managed | shared | argument
    long id;
    bool freed, redzoned;
};
// Guarded memory whose last byte touches an inaccessible page (up to 15 bytes of slack for alignment).
Region* map_region(std::size_t bytes, std::size_t align, const char* name, const char* kind);
Region* find_region(const void* address, bool with_guards);
void check_region(Region&);
void install_handlers();

// Builds one JSON object a line; every event names the kernel and the place in it when there is one.
class Event {
  public:
    explicit Event(const char* name);
    Event& text(const char* key, const char* value);
    Event& number(const char* key, long long value);
    Event& real(const char* key, double value);
    Event& raw(const char* key, const char* json);
    void write();  // appends to $XPILER_EVENTS, or prints to stderr
    [[noreturn]] void die();
    void fault();  // ends the process; where a run is to show how wrong the whole of it is, it goes on

  private:
    char buffer_[16384];
    std::size_t used_ = 0;
    void put(const char* text);
    void quote(const char* text);
    void key(const char* name);
    friend class List;
};

void describe_place(Event&);  // the scheduler's: kernel, launch line, and which thread or task runs

// The arguments of a launch as JSON, pointers by the allocation that they lie in.
std::string arguments_json(const Argument*, int count);

// Writes the memory that a launch's pointers point to into a file of the folder XPILER_RECORD that the event names: a
// line of JSON, where each allocation and variable lies and its size, and their bytes. Of the launches of one kernel
// the first, second, fourth... are recorded, as long as there is room.
void record_memory(Event&, const char* kernel, int line, const Argument*, int count);

int line_of_code(const void* instruction);  // of the program's text, 0 if nobody knows

bool tracing();
bool trace_only();
bool reversed();
bool goes_on();  // after an access outside an array: XPILER_GOES_ON

}  // namespace xpemu
