// Package sendapi is the send endpoint of FCM's HTTP v1 API
// (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send): what becomes of a call, in which words
// it is answered, and what was accepted. It decides by the script in the address and by the faults that are set: outage,
// substitute, refusal, latency, quota.
//
// It knows nothing of listeners and versions of HTTP: [API.Serve] is for an http.Handler, [API.Receive] for a server that
// writes its answers itself.
package sendapi
