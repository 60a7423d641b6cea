// Package fcmsim is a simulator of the Firebase Cloud Messaging HTTP v1 API: the send endpoint with its documented
// validation and error bodies, the OAuth 2.0 token endpoint in front of it, and faults on demand. FCM has no emulator,
// so this one ships with Belfry for its sandbox, its demo and its tests. To Belfry it is other people's server: it
// imports none of Belfry's packages, and Belfry talks to it over HTTP only.
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
//	anything else          accepted
//
// # What it admits to
//
// Under /_sim/ on the same listener: stats and accepted (what arrived), outage, latency, quota, goaway and revoke (of
// access tokens), which are faults, and reset. The admin side needs no token and keeps working during an outage.
//
// # What it leaves out
//
// It delivers nothing, keeps no topic subscriptions, and cannot know a token's platform: a message is measured for
// every platform it has a block for. Latency, stream limits and GOAWAY policy of the live service are not published;
// the values here are settings, not findings.
package fcmsim
