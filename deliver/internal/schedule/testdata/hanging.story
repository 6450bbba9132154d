# One negotiator's requests hang: he has two of the five slots and no more, and an incoming is not in his way.
> offer incoming c1 u3
> offer incoming c2 u3
> offer incoming c3 u3
> next
send c1/1/N2 incoming
send c2/1/N2 incoming
due at 29s
> offer incoming c4 u4
> next
send c4/1/N3 incoming
due at 29s
> result c4/1/N3 deliver
delivered c4/1/N3 incoming
# One that was given up counts for as long as the gateway has it.
> at 10s
> result c1/1/N2 retry wait=1s slot=20s
> result c2/1/N2 deliver
delivered c2/1/N2 incoming
> next
send c3/1/N2 incoming
due at 11s
> result c3/1/N2 retry wait=1s slot=20s
> at 12s
> next
due at 29s
> at 29s
> offer incoming c5 u4
> next
expired c1/1/N2 incoming: not delivered within 30s; after one attempt: trouble
expired c3/1/N2 incoming: not delivered within 30s; after one attempt: trouble
send c5/1/N3 incoming
> result c5/1/N3 retry late
expired c5/1/N3 incoming: not delivered within 30s; after one attempt: trouble
> at 31s
> next
