// Package reapitsim imitates the part of Reapit's platform that a telephony integration meets: the token endpoint, the
// negotiators and the notifications, with the limits, refusals and oddities that developers meet there. Load tests against
// Reapit's sandbox are forbidden, so this is the only place where deliver may be driven to its limits.
//
// It judges by its own reading of the contract and shares no code with the client that it judges. It refuses whatever the
// contract does not promise to accept; where the contract is silent, a knob decides. It keeps everything in memory and
// needs no clean-up but [Sim.Close].
//
// # What is imitated, and where that is known from
//
//   - Tokens (authentication pages, notice of the new Reapit Connect): POST /oauth/token, or /token as of old, with HTTP Basic and
//     a form with grant_type=client_credentials. The same token is given again while five minutes of its life are left, so expires_in
//     is anything from 300 to 3600. Errors are {"error":"invalid_client"} and {"error":"invalid_request"}; their statuses, 401
//     and 400, are OAuth's.
//   - Headers (platform documentation, request headers): Authorization, api-version, reapit-customer, Content-Type. There has only been one
//     version, 2020-01-31; latest, which Reapit's own explorer sends, is taken too, any other is refused (ours).
//   - Negotiators (platform schema): paging from 1, 1 to 100 a page, 25 unless told; relative links with PascalCase parameters;
//     inactive negotiators are listed unless filtered. Order without sortBy is by id (ours).
//   - Notifications (notifications page and platform schema): 202 and an empty body; the sandbox's shared user ADV is refused as
//     a target (maintainers, public issue tracker); a caller is digits and a plus, or withheld, unknown, anonymous (same place).
//   - Errors (error page; verbatim texts from developers' reports): {statusCode, dateTime, description, errors}; the limit's own body in
//     PascalCase; {"message": …} where the gateway answers for the platform; 403 Missing Authentication Token for a path or
//     method that does not exist; x-amzn-RequestId on every response. Texts of the rate and day limits, of 404, 413, 415 and of
//     malformed JSON are ours: none is published.
//   - Limits (rate limit page, usage guidelines): 20 requests a second and 250,000 a UTC day per application, 5 at a time per application
//     and customer, no Retry-After. A request that was refused for a limit does not count against the rate. The gateway gives
//     up after 30 s.
//
// # What is unknown, and has a knob
//
// [Knobs] names each with its default. Strictest first: status of a validation failure, created without a zone, spaces in numbers, a missing
// destination, unknown targets, unknown properties, status of a missing customer, the shape of the second in which 20 requests may
// pass, case of the limit's body, whether a token is given twice. Faults of the past that may return: the authorizer that kept a token's first customer for five
// minutes, slots that stay taken after a 504, links with a prefix that lead nowhere.
//
// # Control
//
// Everything under /control/ is JSON, counts against no limit and is not recorded. A refused control request is {"error": …} and 400.
//
//	GET    /control/requests       {total, requests} all received, oldest first; filters callId, negotiatorId, subType, customer,
//	                               path, status; offset, limit (100). Authorization and client_secret are masked.
//	GET    /control/notifications  {total, notifications} accepted ones, one entry per target; the same filters but path, status
//	GET    /control/stream         the same entries as they come, one JSON object a line; ?from=0 begins with the oldest kept,
//	                               ?from=<seq> with that one; without it only new ones
//	GET, POST, DELETE /control/faults       rules, oldest first wins, always or by chance; see [Fault]. DELETE /control/faults/{id}
//	                               removes one
//	GET, POST, DELETE /control/knobs        POST changes the named ones, DELETE restores the defaults
//	GET, POST /control/latency     {"meanMs": 40, "jitterMs": 20} added to every platform answer
//	GET    /control/stats          most in flight, most in any second, answers by status; see [Stats]
//	PUT    /control/negotiators/{customer}  replaces the negotiators of one customer
//	DELETE /control/tokens         every token given so far stops working
//	POST   /control/reset          everything as at the start; sequence numbers go on
package reapitsim
