# The slot of a request that we gave up is not used by anybody, but one is left all the same.
> offer missed c1 u1 u3 u4
> next slots=2
send c1/1/N1 missed
due at 23h59m59s
> result c1/1/N1 retry wait=1s slot=20s
> next slots=2
send c1/1/N2 missed
due at 1s
> result c1/1/N2 retry wait=1s slot=20s
> next slots=2
send c1/1/N3 missed
due at 1s
> result c1/1/N3 deliver
delivered c1/1/N3 missed

# Of one that the gateway gave up, Reapit counts the slot for half a minute: where all are taken, nothing is sent.
> at 1m
> next slots=2
send c1/1/N1 missed
due at 23h59m59s
> result c1/1/N1 retry wait=1s slot=30s status=504
> next slots=2
send c1/1/N2 missed
due at 1m1s
> result c1/1/N2 retry wait=1s slot=30s status=504
> offer incoming c2 u4
> next slots=2
due at 1m1s
> at 1m29s
> next slots=2
expired c2/1/N3 incoming: not delivered within 30s; Reapit's limits hold everything back
due at 1m30s
> at 1m30s
> offer incoming c3 u4
> next slots=2
send c3/1/N3 incoming
due at 23h59m59s
