#pragma once
// Messages that follow from another one: responses (RFC 3261 section 8.2.6), the ACK of a refusal (section
// 17.1.1.3), CANCEL (section 9.1), and the answer to what was not understood.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sip/error.hpp"
#include "sip/message.hpp"
#include "sip/writer.hpp"

namespace turnpike::sip {

// Via, From, To, Call-ID, CSeq as in the request, and Timestamp in a 100. The tag is added to a To that has
// none; a 100 needs none. The caller adds rows and finishes.
Writer make_response(const Message& request, std::uint16_t status_code, std::string_view to_tag,
                     std::string_view reason = {});

// Nothing when the INVITE or the response lacks what the ACK is made of; messages without a defect have it.
std::optional<std::string> make_ack(const Message& invite, const Message& response);
std::optional<std::string> make_cancel(const Message& invite);

// What brings an answer to whom it is for (RFC 3261 section 18.2.2).
enum class AnswersGo : std::uint8_t {
  where_the_via_says,   // datagrams
  over_the_connection,  // WebSocket: also where the Via cannot be read
};

// The answer to a message that parse() or find_defect() refused. Nothing where RFC 3261 wants silence: for
// responses, for ACK, and where nobody can be told: without a Via, and of datagrams where it cannot be read.
std::optional<std::string> make_refusal(std::string_view text, const ParseError& error,
                                        std::string_view to_tag, AnswersGo answers_go,
                                        const Limits& limits = {});

}  // namespace turnpike::sip
