// Package fcmsim is a simulator of the Firebase Cloud Messaging HTTP v1 API: the send endpoint with its documented
// validation and error bodies, the OAuth 2.0 token endpoint in front of it, and faults on demand. FCM has no emulator,
// so this one ships with Belfry for its sandbox, its demo and its tests. To Belfry it is other people's server: it
// imports nothing of the pipeline but the description of FCM's Message (internal/message), and Belfry talks to it over
// HTTP only.
//
// This package is its house: settings, listeners, net/http's server, certificate, and the admin side. What becomes of a
// send is decided in sendapi, bodies are read in protojson, access tokens come from oauth. Package lean is another server
// of HTTP/2, for benchmarks.
//
// # What it answers
//
// POST /v1/projects/{project}/messages:send decides by the registration token (or installation id):
//
//	sim-unregistered-*     404 UNREGISTERED
//	sim-invalid-*          400 INVALID_ARGUMENT, as for a malformed token
//	sim-mismatch-*         403 SENDER_ID_MISMATCH
//	sim-auth-*             401 THIRD_PARTY_AUTH_ERROR
//	sim-quota-N-*          N times 429 QUOTA_EXCEEDED, then accepted
//	sim-unavailable-N-*    N times 503 UNAVAILABLE, then accepted
//	sim-internal-N-*       N times 500 INTERNAL, then accepted
//	sim-hang-N-*           N times no answer until the client goes away, then accepted
//	sim-drop-N-*           N times accepted and recorded, but the stream is cut instead of answered
//	sim-apns-S-REASON-*    what FCM makes of Apple's answer with status S and that reason, as in
//	                       sim-apns-410-Unregistered-1: an ApnsError beside FCM's own code
//	sim-devicequota-N-*    N times 429 QUOTA_EXCEEDED with a QuotaFailure for the device, then accepted
//	sim-credential-R-*     401 or 403 with an ErrorInfo of reason R, as in sim-credential-SERVICE_DISABLED-1
//	sim-ios-* sim-web-*    accepted, and known to be of that platform: see refusal below
//	sim-android-*
//	anything else          accepted
//
// A topic sim-topicquota-N-* is N times over its quota.
//
// # What it admits to
//
// Under /_sim/ on the same listener: stats and accepted (what arrived: the last 100,000 messages or 25 MB of them, the
// oldest are dropped and counted); outage, substitute, refusal, latency, quota,
// goaway and revoke (of access tokens), which are faults; reset. The admin side needs no token and keeps working during an outage.
//
// Both sides are closed to web pages of another origin and to foreign Host names (package sameorigin), and take a body
// with Content-Type: application/json only.
//
//	POST /_sim/outage      {"status":503|429|0,"retry_after":"5","seconds":3,"share":1.0}, 0 refuses connections
//	POST /_sim/substitute  {"status":200,"body":"<html>…","content_type":"text/html","gzip":false,"record":false,
//	                       "seconds":3,"share":1.0}: somebody else answers in FCM's place, as a proxy would; with
//	                       record FCM has taken the message all the same
//	POST /_sim/refusal     {"platform":"ios"|"web"|"android"|"","as":"third_party_auth"|"topic"|"sender_id"|
//	                       "too_large"|"field"|"unspecified"|""}: FCM refuses what goes to the platform, or to all,
//	                       until it is told otherwise: a project without an APNs key, a bad message, a wrong project
//	POST /_sim/latency     {"median_ms":50,"sigma":0.3}
//	POST /_sim/quota       {"per_minute":600000}
//
// # What it leaves out
//
// It delivers nothing, keeps no topic subscriptions, and knows a token's platform only by its look: a message is
// measured for every platform, as package message says. Latency, stream limits and GOAWAY policy of the live service are not published;
// the values here are settings, not findings.
package fcmsim
