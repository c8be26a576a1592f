// SPDX-License-Identifier: BSD-3-Clause
/*
 * Certificates and keys for tests, made by make_tls_certs.sh: worth nothing, known to all.
 *
 * All leaves are signed by CERT_CA, nothing by CERT_OTHER_CA. The names in them are server.example,
 * *.wild.example, server1, 192.0.2.1 and 2001:db8::1.
 */
#ifndef QL_TEST_TLS_CERTS_H
#define QL_TEST_TLS_CERTS_H

#define CERT_CA                                                              \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIBZTCCAQqgAwIBAgICEAAwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNUWxhbmUg\n" \
	"dGVzdCBjYTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk4MTIzMTIzNTk1OVowGDEWMBQG\n" \
	"A1UEAwwNUWxhbmUgdGVzdCBjYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLrK\n" \
	"nz3tTiXOJr0tL+EltPfFBUUqriV1WIVwgek+KVbI3WF9BgDx1Qk0AjHWIko0Op0i\n" \
	"ovxCZNDWVg78FxKH4yCjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQD\n" \
	"AgIEMB0GA1UdDgQWBBQ+RdffzoGgyC42x5eb11hMVFeCYzAKBggqhkjOPQQDAgNJ\n" \
	"ADBGAiEAvnX+sPacN5k1+5FJ51FtQDAwr8k8FK7uIzVS4sgj/UACIQD9khcGaNUs\n" \
	"GDdftz/ewpMPLS3YaDVFGX8PEuP7URNPJw==\n"                             \
	"-----END CERTIFICATE-----\n"

#define CERT_CN_ONLY                                                         \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIBkjCCATigAwIBAgICEAUwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNUWxhbmUg\n" \
	"dGVzdCBjYTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk4MTIzMTIzNTk1OVowGTEXMBUG\n" \
	"A1UEAwwOc2VydmVyLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARp\n" \
	"2pjC6vjFnwENXPS/j7w1puPTQR9MPLIiUqD89OWmlHLH9Lj5Zs7Etgs0sCiEa9Iw\n" \
	"8CkHVTYFgSLlEZxVYyh2o28wbTAJBgNVHRMEAjAAMAsGA1UdDwQEAwIHgDATBgNV\n" \
	"HSUEDDAKBggrBgEFBQcDATAfBgNVHSMEGDAWgBQ+RdffzoGgyC42x5eb11hMVFeC\n" \
	"YzAdBgNVHQ4EFgQU0Mil7AzJEZIYmHknVWu2IL6zIagwCgYIKoZIzj0EAwIDSAAw\n" \
	"RQIhAPEDN9qr3ufqW69H8WH35H1O4rDPLEhPdomGyaZmpQGFAiB5qyj90IFExxq8\n" \
	"DAwn3gvmM1BOtLAro2Avcw7BTjoP4w==\n"                                 \
	"-----END CERTIFICATE-----\n"

#define CERT_ED25519                                                         \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIBsDCCAVegAwIBAgICEAQwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNUWxhbmUg\n" \
	"dGVzdCBjYTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk4MTIzMTIzNTk1OVowGTEXMBUG\n" \
	"A1UEAwwOc2VydmVyLmV4YW1wbGUwKjAFBgMrZXADIQCBf58DcyM8JZ4Lk90N5RPK\n" \
	"eSa61OrRc1U5MODa9rWszqOBvDCBuTAJBgNVHRMEAjAAMAsGA1UdDwQEAwIHgDAT\n" \
	"BgNVHSUEDDAKBggrBgEFBQcDATAfBgNVHSMEGDAWgBQ+RdffzoGgyC42x5eb11hM\n" \
	"VFeCYzBKBgNVHREEQzBBgg5zZXJ2ZXIuZXhhbXBsZYIOKi53aWxkLmV4YW1wbGWC\n" \
	"B3NlcnZlcjGHBMAAAgGHECABDbgAAAAAAAAAAAAAAAEwHQYDVR0OBBYEFJyLvnQn\n" \
	"OJ/Jl3Vrskh5nSRpy7GmMAoGCCqGSM49BAMCA0cAMEQCIGc6xDwyso5xwvSLVN6K\n" \
	"2QI4GnQcoPGG0FqX3OFdgqKLAiAQvrHNi+fu0txQOK4GzvUzd3tnCRlzfdmqxApv\n" \
	"qOpsIQ==\n"                                                         \
	"-----END CERTIFICATE-----\n"

#define CERT_EXPIRED                                                         \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIB3zCCAYSgAwIBAgICEAcwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNUWxhbmUg\n" \
	"dGVzdCBjYTAeFw0yMDAxMDEwMDAwMDBaFw0yMDAxMDIwMDAwMDBaMBkxFzAVBgNV\n" \
	"BAMMDnNlcnZlci5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMpaS\n" \
	"YYGBfgX4Z3+1FpfSFsovWxe3ejgaFC6mHVd+lnVFW2HswYbSxUJRNT5iD4yTLFLV\n" \
	"LZNYZT9axaroFHT7cqOBvDCBuTAJBgNVHRMEAjAAMAsGA1UdDwQEAwIHgDATBgNV\n" \
	"HSUEDDAKBggrBgEFBQcDATAfBgNVHSMEGDAWgBQ+RdffzoGgyC42x5eb11hMVFeC\n" \
	"YzBKBgNVHREEQzBBgg5zZXJ2ZXIuZXhhbXBsZYIOKi53aWxkLmV4YW1wbGWCB3Nl\n" \
	"cnZlcjGHBMAAAgGHECABDbgAAAAAAAAAAAAAAAEwHQYDVR0OBBYEFOZqRscuq4OS\n" \
	"9LU/JGdJ7C8emwh1MAoGCCqGSM49BAMCA0kAMEYCIQChfdAeqYDdSn12Hrlcpm10\n" \
	"mn+0Ii7zA+obIixtLHs38QIhAKzUTN0U34o6QuKHT74xa2Sdt0QV5s/dqJ6ph/qR\n" \
	"qCmQ\n"                                                             \
	"-----END CERTIFICATE-----\n"

#define CERT_NAMELESS                                                        \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIBizCCATCgAwIBAgICEAYwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNUWxhbmUg\n" \
	"dGVzdCBjYTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk4MTIzMTIzNTk1OVowETEPMA0G\n" \
	"A1UECgwGbm9ib2R5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAklu9uHIz2NN\n" \
	"4AK/ZY17mof5tXmK9sbwucxcGf02GwScpMDHy6KDH6hjeSEiEeQUIJNM/Z9+e8w9\n" \
	"HU3p0FKQt6NvMG0wCQYDVR0TBAIwADALBgNVHQ8EBAMCB4AwEwYDVR0lBAwwCgYI\n" \
	"KwYBBQUHAwEwHwYDVR0jBBgwFoAUPkXX386BoMguNseXm9dYTFRXgmMwHQYDVR0O\n" \
	"BBYEFP/SaE0dd2a9CUCC67IyUK3NwWiTMAoGCCqGSM49BAMCA0kAMEYCIQCToUcw\n" \
	"Tc3Jh9uE2B9gSPIyBGGi3RzWWHYIxvQAiFvGZAIhAO6uJPVeJiG57K3k5Tn1hKe5\n" \
	"P4n3H/us75q7XGLjspMK\n"                                             \
	"-----END CERTIFICATE-----\n"

#define CERT_OTHER_CA                                                        \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIBcTCCARagAwIBAgICEAEwCgYIKoZIzj0EAwIwHjEcMBoGA1UEAwwTUWxhbmUg\n" \
	"dGVzdCBvdGhlcl9jYTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk4MTIzMTIzNTk1OVow\n" \
	"HjEcMBoGA1UEAwwTUWxhbmUgdGVzdCBvdGhlcl9jYTBZMBMGByqGSM49AgEGCCqG\n" \
	"SM49AwEHA0IABNTnKrvB3+jStR3iB4ebeT5qaGabxqRmnDgT/4KRUP38kTsATufx\n" \
	"hQXXh1HF0mgNZnSn4j9rv0KaM7/tv+nHxI2jQjBAMA8GA1UdEwEB/wQFMAMBAf8w\n" \
	"DgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQWBBRizKeJtFHkLU5fw6Tq6hX35guELjAK\n" \
	"BggqhkjOPQQDAgNJADBGAiEArTkNDAA/0CieIFzQIoWvHmplX4Lp8cnJFX/nbOUl\n" \
	"QD0CIQC8qN7BIEnxYSKhgzsaIRRx9CzhYJaiV2RxMXq1byC6HQ==\n"             \
	"-----END CERTIFICATE-----\n"

#define CERT_RSA                                                             \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIICqzCCAlGgAwIBAgICEAMwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNUWxhbmUg\n" \
	"dGVzdCBjYTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk4MTIzMTIzNTk1OVowGTEXMBUG\n" \
	"A1UEAwwOc2VydmVyLmV4YW1wbGUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK\n" \
	"AoIBAQCRiKKDwueMCtIkl+FdmaNyXA4AHcrkVSPQ5JiFWNrHmzmdVYFo0KF3Th8m\n" \
	"SAK1o04JR8JoRZThHDxUlbEXzdC//rDd3ngkBz0ggTrdoEKaWE7LiBlzdCU9IzFC\n" \
	"a8vcLwNj+LkWi/fC4dzpxhwRElC2LcDsTftwS4kEqbIA41RlQ3x8WF0E2Cr5mMvq\n" \
	"z1BV/LJ7nh+GFA/DV2aI58rN+ogJFeHMVqzaWHwtfLZkLQ1wym7qOjMJGvxVBvN5\n" \
	"F+aZPRPCQCn0DMZd1OTHiYq6NdKTOZ5TVh+04zyZcDn7bt3WAhsjFsMQhAEeEBWo\n" \
	"PZJLln626PDbYqVJ0JzZxISyatudAgMBAAGjgbwwgbkwCQYDVR0TBAIwADALBgNV\n" \
	"HQ8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwHwYDVR0jBBgwFoAUPkXX386B\n" \
	"oMguNseXm9dYTFRXgmMwSgYDVR0RBEMwQYIOc2VydmVyLmV4YW1wbGWCDioud2ls\n" \
	"ZC5leGFtcGxlggdzZXJ2ZXIxhwTAAAIBhxAgAQ24AAAAAAAAAAAAAAABMB0GA1Ud\n" \
	"DgQWBBQG6G8UtJiqmHeKdyFmZ+DfzuYg0zAKBggqhkjOPQQDAgNIADBFAiBDLItA\n" \
	"mxRA3QdKd6O3QWjww/9NxJzI0zlwmkU5Fimz9AIhALnUiVJ8uigUyfh8/t6AhwqC\n" \
	"FMOk5US7z83G1NoSQsh0\n"                                             \
	"-----END CERTIFICATE-----\n"

#define CERT_SERVER                                                          \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIB4TCCAYagAwIBAgICEAIwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNUWxhbmUg\n" \
	"dGVzdCBjYTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk4MTIzMTIzNTk1OVowGTEXMBUG\n" \
	"A1UEAwwOc2VydmVyLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARn\n" \
	"lAyl8DmawaCfNbkG/CLWQxlu+oN09snMWUECQ4cXp7kG+kXTUmBmKKkm7dJW7OyH\n" \
	"62Qy31gDmZgHhL27MFOWo4G8MIG5MAkGA1UdEwQCMAAwCwYDVR0PBAQDAgeAMBMG\n" \
	"A1UdJQQMMAoGCCsGAQUFBwMBMB8GA1UdIwQYMBaAFD5F19/OgaDILjbHl5vXWExU\n" \
	"V4JjMEoGA1UdEQRDMEGCDnNlcnZlci5leGFtcGxlgg4qLndpbGQuZXhhbXBsZYIH\n" \
	"c2VydmVyMYcEwAACAYcQIAENuAAAAAAAAAAAAAAAATAdBgNVHQ4EFgQU5LhsI696\n" \
	"SF9uGVuuvBr3AD6joVAwCgYIKoZIzj0EAwIDSQAwRgIhAKUPTpXwDqnkG9GMVZcB\n" \
	"43g2qCWuQlJIgzFlGr8hbaTwAiEAkVOLArzXnfXw95YIsb4Es/sGoZ/0ura8asjP\n" \
	"B5iYY3Y=\n"                                                         \
	"-----END CERTIFICATE-----\n"

#define KEY_CN_ONLY                                                          \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgL2ZhaWpeefGFzr8T\n" \
	"EeCSUN6ZTb8shXg5fVa1hqVHmmuhRANCAARp2pjC6vjFnwENXPS/j7w1puPTQR9M\n" \
	"PLIiUqD89OWmlHLH9Lj5Zs7Etgs0sCiEa9Iw8CkHVTYFgSLlEZxVYyh2\n"         \
	"-----END PRIVATE KEY-----\n"

#define KEY_ED25519                                                          \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MC4CAQAwBQYDK2VwBCIEIEpCdDp9PpPtYVHV3/N/i5QqAfXICyQHV45Y9LMDTrTa\n" \
	"-----END PRIVATE KEY-----\n"

#define KEY_ENCRYPTED                                                        \
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"                            \
	"MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjaNMJa1tlzcwICCAAw\n" \
	"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEF+LhqHP5Er886oKj9cmNMwEgZBB\n" \
	"JeGOHSfzW8rpphSVqgcO0aLXbTyk2xK6MdbH53VOh16sytOWlVmt0yHiutd6nbkF\n" \
	"HuFBtZ5YuRoVj5rH2ULeX1/mcwUGcMcoJ6TO2Qsgk9SCll8TTdH/2fNFboqZR8Nt\n" \
	"bnzab8aoIaavaskpafvheRjnjVDQ4htRTPkb+USo0wSnyvKQDTbgV7Ie2XwnHSQ=\n" \
	"-----END ENCRYPTED PRIVATE KEY-----\n"

#define KEY_EXPIRED                                                          \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7A+O2ORhh0ReKIAI\n" \
	"z6S/mhO94vkTeBOJoZCM6J+9dBehRANCAAQylpJhgYF+Bfhnf7UWl9IWyi9bF7d6\n" \
	"OBoULqYdV36WdUVbYezBhtLFQlE1PmIPjJMsUtUtk1hlP1rFqugUdPty\n"         \
	"-----END PRIVATE KEY-----\n"

#define KEY_NAMELESS                                                         \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+SI37fxr8zSNmu+m\n" \
	"RV83tgUx30zuIF7dE7ZVkYTXD2WhRANCAAQCSW724cjPY03gAr9ljXuah/m1eYr2\n" \
	"xvC5zFwZ/TYbBJykwMfLooMfqGN5ISIR5BQgk0z9n357zD0dTenQUpC3\n"         \
	"-----END PRIVATE KEY-----\n"

#define KEY_RSA                                                              \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCRiKKDwueMCtIk\n" \
	"l+FdmaNyXA4AHcrkVSPQ5JiFWNrHmzmdVYFo0KF3Th8mSAK1o04JR8JoRZThHDxU\n" \
	"lbEXzdC//rDd3ngkBz0ggTrdoEKaWE7LiBlzdCU9IzFCa8vcLwNj+LkWi/fC4dzp\n" \
	"xhwRElC2LcDsTftwS4kEqbIA41RlQ3x8WF0E2Cr5mMvqz1BV/LJ7nh+GFA/DV2aI\n" \
	"58rN+ogJFeHMVqzaWHwtfLZkLQ1wym7qOjMJGvxVBvN5F+aZPRPCQCn0DMZd1OTH\n" \
	"iYq6NdKTOZ5TVh+04zyZcDn7bt3WAhsjFsMQhAEeEBWoPZJLln626PDbYqVJ0JzZ\n" \
	"xISyatudAgMBAAECggEAB/vydL77aFxx1kjFfzMzYnimocJWAHGHUkYvZbQXAtQt\n" \
	"0RyrrS4V3ahLpk041/GKZwLTYlhqdnB6dJ9KMu3Jk7YLrjeD9yi1LJSRhvYIn5tT\n" \
	"+8UAtOSyAIj9LS3MkQW8mRqyBpb4U/xnFNA0IjT26imCbwm6a8O64hhFq5930mXe\n" \
	"WhYgZbxfhaRXQT8O4C7HrHVZcIjChPpu6Ah5QSkqy0MBDaKnFoyI+As7CWxiIc8v\n" \
	"Ncj+mls6iyq/ge8VCFt7yIF/epoq/2ipV2HNp8XgRwNS+y9AI/1w615W7JmsqQC3\n" \
	"q21g/mYCxTNU+qPplWt+qMOimlNrIy/YTHstJlNgJQKBgQDGFmI/0Yze4y8GrBTz\n" \
	"2yOZ4cKguvFsm1PtCOA8drqTsKEl4sqHQjeAVNZ2Hg2aY570ErCrvYEx0z/yNsg/\n" \
	"jA2bVxIn0T5VZblBW9Qpiyb+f3W2bTRIOrlbzSPqR/oqFjZ2aBWZSFqzcGJ7H1Bj\n" \
	"ZOWwa680VFKQoAWpDgB1Y+nl1wKBgQC8FO6WcS0pJoGpcVJkEMBH5K4px5Wz3BnC\n" \
	"ydB7LpyC6EPiJjdLcXAjcsUfd4W74m00gVZo+GLs/ttsXEHx2kmLM2Kqq4Wlkcze\n" \
	"ONAmC7hY1fedOmDc/3lgc55KYYotrznm7/N4c4rWSmSDwqeYhC6g6Y5aS+KbBDIi\n" \
	"wfQnoS+zqwKBgGviEv5o9U0K9DixDfRF3FzZvPNm/UfGTO4i0GV90F3Ra+LDYsRJ\n" \
	"xwqIqgjIk2YLba3GZBwU6MEnKYOUXHlnoJ2CzWuMJWPDNCMpjSJXHBStfIGvdjME\n" \
	"cKFT14SoUNINKPpR87l405U41xnxUwnfEM2FyHU6m4ES9iI9cvh8Qw4fAoGBAIVJ\n" \
	"oDtlQUfkTgcyk9zuMhXA7dwV4PVxiaANPX3OboQm7dSamJ0SaxH0B9Zg8ZlQwWtw\n" \
	"LTh+rjyd8Ao+50zqESxg4g9pNnE7fiANyxTrQV1TZQM7l+GF+xJrXUYBEdeGUlZi\n" \
	"vfwihcWPOuRVUkg3hIPsgEFlfdW1h4IySUC8bf25AoGBAKK8GD0umhXhhI6jQOp6\n" \
	"8JtwW5+vh+pUMgeDMjvAFdDnPfQm7OMgT6wQH5lmvt3jiH8gdLtuLEIxE6meQ8K/\n" \
	"F6ysUO7hBIrHL2sX5q/ku7935b4G6HmpiggQzoM8jO1c2d0nGFpsjGKVaTdbn9Hu\n" \
	"tL8cKjcnlVoJ6UAIoC4UDDXa\n"                                         \
	"-----END PRIVATE KEY-----\n"

#define KEY_SERVER                                                           \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbtQYdZzmjUgtWxZV\n" \
	"ifqJAfp3AJZozv+9qPQzCTHlljqhRANCAARnlAyl8DmawaCfNbkG/CLWQxlu+oN0\n" \
	"9snMWUECQ4cXp7kG+kXTUmBmKKkm7dJW7OyH62Qy31gDmZgHhL27MFOW\n"         \
	"-----END PRIVATE KEY-----\n"

#endif
