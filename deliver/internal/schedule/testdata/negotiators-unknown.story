# Nobody knows the negotiators yet: the events wait, and are offered in their order.
> offer incoming c1 u1 u3 blind
> at 5s
> offer answered c1 u1 u3 by=u1 blind
> next
due at 30s
> at 10s
> known
superseded c1/1/N2 incoming: somebody else answered first
> next
superseded c1/2/N2 answered: the incoming call was never shown
send c1/1/N1 incoming

# Past its deadline an incoming is nobody's; what came after is still worth it, as of
# a call that rang before the first event.
> at 60s
> offer incoming c2 u1 u3 blind
> at 61s
> offer answered c2 u1 u3 by=u1 blind
> at 90s
> next
unmapped c2/1/user-u1 incoming: the negotiators of the customer were not known in time
unmapped c2/1/user-u3 incoming: the negotiators of the customer were not known in time
due at 3m1s
> offer ended c2 u1 u3 by=u1 blind
> at 100s
> known
superseded c2/2/N1 answered: the call was over first
superseded c2/2/N2 answered: the call was over first
> next
send c2/3/N1 ended
send c2/3/N2 ended
> result c2/2/N1 deliver
> next

# A missed call survives, also a restart; a repeated event is no other.
> at 200s
> offer incoming c3 u4 blind
> offer missed c3 u4 blind
> restart
> at 1h
> next
expired c1/1/N1 incoming: not delivered within 30s
unmapped c3/1/user-u4 incoming: the negotiators of the customer were not known in time
expired c1/2/N1 answered: not delivered within 2m0s
expired c2/3/N1 ended: not delivered within 10m0s
expired c2/3/N2 ended: not delivered within 10m0s
due at 24h3m20s
> known
> next
send c3/2/N3 missed
> known
