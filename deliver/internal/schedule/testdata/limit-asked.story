# Reapit asks for longer than anything known lasts: what is late meanwhile ends in time, and then one goes out to see whether it is over.
> offer incoming c1 u1 u3 u4
> next
send c1/1/N1 incoming
send c1/1/N2 incoming
send c1/1/N3 incoming
> result c1/1/N1 pause wait=1m trial
> result c1/1/N2 deliver
delivered c1/1/N2 incoming
> result c1/1/N3 pause wait=1m trial
> offer incoming c2 u1 u3
> offer missed c3 u1 u3 u4
> next
due at 29s
> at 30s
> next
expired c1/1/N1 incoming: not delivered within 30s; after one attempt: trouble
expired c1/1/N3 incoming: not delivered within 30s; after one attempt: trouble
expired c2/1/N1 incoming: not delivered within 30s; Reapit's limits hold everything back
expired c2/1/N2 incoming: not delivered within 30s; Reapit's limits hold everything back
due at 1m0s
> at 59s
> offer incoming c4 u1 u3 u4
> at 1m
> next
send c4/1/N1 incoming
due at 1m28s
# It is not: everybody waits again, also across a restart.
> result c4/1/N1 pause wait=1m trial
> restart
> at 119s
> next
expired c4/1/N1 incoming: not delivered within 30s; after one attempt: trouble
expired c4/1/N2 incoming: not delivered within 30s; Reapit's limits hold everything back
expired c4/1/N3 incoming: not delivered within 30s; Reapit's limits hold everything back
due at 2m0s
> at 2m
> next
send c3/1/N1 missed
due at 23h59m59s
> result c3/1/N1 deliver
delivered c3/1/N1 missed
> next
send c3/1/N2 missed
due at 23h59m59s
> result c3/1/N2 deliver
delivered c3/1/N2 missed
> next
send c3/1/N3 missed
