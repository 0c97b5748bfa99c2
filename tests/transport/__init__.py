"""The transports before good, broken and hostile providers, on both event loops.

What the requirements and the list of what httptools lets through ask for, and where it is proven
(a test or more of `test_<module>.py`; those with a path are of whole gateways, by both clients):

S5 framing
    broken_http, against_h11; http/test_framing
S6 no header injection
    transport.test_what_would_inject_a_header_is_not_sent,
    message.test_framing_is_ours, against_h11 (no line breaks in
    values); http/test_headers
S9 bombs
    hostile.test_a_bomb_of_any_coding_ends_at_the_cap,
    caps.test_a_bomb_costs_no_more_than_the_cap
S9 endless bodies, lines, heads
    caps.test_an_endless_body_ends_at_the_cap,
    caps.test_an_endless_head_ends_at_its_caps
S9 5,000 headers
    broken_http.test_a_head_above_its_caps_is_an_error,
    hostile.test_5000_headers_cost_little_memory
S9 others are served meanwhile
    caps.test_a_bomb_that_is_read_leaves_room_for_others,
    caps.test_tiny_chunks_leave_room_for_others
R3 broken providers
    broken_http, endings; faults/test_broken, faults/test_replayed
R4 time limits
    time_limits, hostile.test_a_call_that_hangs_holds_up_no_other
R6 disconnects
    cancellation; http/test_load, http/test_disconnect
R7 back-pressure
    caps.test_a_reader_that_stops_holds_the_provider_back;
    http/test_slow_readers

other versions, other codings,
1.0 with chunks, 101
    broken_http.test_a_broken_answer_is_an_error
chunk extensions
    hostile.test_an_endless_chunk_extension_ends_at_a_cap,
    hostile.test_extensions_of_many_chunks_end_at_a_cap_too
trailers
    hostile.test_trailers_are_dropped,
    hostile.test_trailers_count_under_the_caps_of_a_head,
    caps.test_endless_trailers_end_at_a_cap
Expect is never sent
    hostile.test_expect_is_never_sent
1xx is skipped, and bounded
    hostile.test_interim_answers_leave_nothing_in_the_answer,
    broken_http.test_a_broken_answer_is_an_error,
    time_limits.test_interim_answers_do_not_stretch_the_first_byte
a second answer, bytes after it
    transport.test_a_connection_that_may_hold_stray_bytes_is_not_used_again,
    transport.test_stray_bytes_that_come_later_are_seen_too
later bytes raise
    hostile.test_a_whole_answer_is_kept_and_its_connection_not
an answer before the request's end
    hostile.test_a_connection_that_answered_early_is_not_used_again
a body longer or shorter
    request_bodies.test_a_body_of_another_length_is_never_a_whole_request
HEAD
    transport.test_an_answer_without_a_body_ends_with_its_head,
    hostile.test_a_whole_answer_is_kept_and_its_connection_not
read until close: reset
    endings.test_a_reset_of_a_body_without_length_is_no_end
read until close: no close_notify
    tls.test_an_end_without_close_notify_is_no_end
a reused connection that dies
    endings.test_a_reused_connection_that_ends_is_told_apart
413 during 50 MB
    hostile.test_a_413_during_an_upload_of_50_mb_is_the_answer_and_keeps_nothing
hang before the head
    time_limits.test_a_provider_that_does_not_begin_to_answer
silence in mid-stream
    time_limits.test_a_provider_that_falls_silent
split UTF-8
    hostile.test_a_text_cut_within_its_characters_comes_whole
certificates
    tls.test_the_certificate_is_checked_for_the_original_name,
    tls.test_a_certificate_that_does_not_hold_is_not_accepted
1,000 cancellations
    cancellation.test_a_thousand_random_cancellations_leave_nothing,
    cancellation.test_a_thousand_calls_cancelled_in_every_phase_leave_nothing
br
    decoding.test_br_without_its_package_names_the_extra
waiting calls
    pool.test_who_waits_is_served_first_come_first_served_and_before_newcomers
"""
