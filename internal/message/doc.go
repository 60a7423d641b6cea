// Package message is what FCM accepts: the one description of its HTTP v1
// Message. The door checks requests by it, the encoder what is about to go out,
// and the simulator what arrives, so that none refuses what another took.
//
//	[Described]  the fields, their types and values, as data
//	[Check]      everything that is wrong with a message
//	[Measure]    how much of FCM's limit each platform gets
//	[Complete]   the message as it goes out: stable ids, what is left of its
//	             time, its urgency
//	[Template]   that, encoded once and sent to many
//
// The sources are FCM's reference and its discovery document of 2026-03-06
// (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages), Apple's
// "Sending notification requests to APNs", and RFC 8030 for web push. Where they
// leave a value open it is taken: the phone or the browser is the judge then.
//
// A decoded message is a tree of encoding/json with numbers as [json.Number]. The
// package knows no address, store or queue, and imports nothing of Belfry's.
package message
