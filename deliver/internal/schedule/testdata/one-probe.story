# Of what was under way when the customer was parked the end says nothing of the probe: there is one at a time.
> offer missed c1 u1
> offer missed c2 u3
> offer missed c3 u4
> next
send c1/1/N1 missed
send c2/1/N2 missed
send c3/1/N3 missed
> result c1/1/N1 park
> at 15s
> next
send c1/1/N1 missed
> result c2/1/N2 park
> result c3/1/N3 retry wait=1s
> next
due at 16s
> at 45s
> next
due at 23h59m59s
> result c1/1/N1 park
> next
due at 1m15s
# Its time is known while there is no room, and it waits for room like anybody else.
> next rate=0
due at 1m15s
> at 75s
> next rate=0 more=80s
due at 1m20s
> at 80s
> next
send c1/1/N1 missed
due at 23h59m59s
