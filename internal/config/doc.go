// Package config turns flags and environment variables into one typed struct
// per service. It is the only package that reads the environment.
//
// Every setting of a service has a flag and a variable, and the flag wins:
// --fcm-endpoint is BELFRY_FCM_ENDPOINT. A wrong configuration never starts:
// everything that is wrong with it is reported at once, as [Faults], each with
// the flag, the variable, what is allowed and what was given. Secrets are of a
// type that cannot be printed.
package config
