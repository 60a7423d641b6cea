// Package doctor finds out why Belfry would not work where it is about to run,
// and says what to do about each thing that is wrong: credentials, reachability,
// permissions, the shape of what AWS holds, the clock, FCM, and for the embedded
// backend the data directory.
//
// It changes nothing that anybody could notice: no message is sent or received,
// no item or object written. It decides nothing for a running service either;
// services have their own readiness checks.
package doctor
