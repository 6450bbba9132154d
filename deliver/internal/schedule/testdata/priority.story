# A retrying missed of an old call never holds back a new call's pop.
> offer missed c1 u1
> next
send c1/1/N1 missed
> result c1/1/N1 retry wait=5m
> offer incoming c2 u1
> next
send c2/1/N1 incoming
due at 5m0s
> result c2/1/N1 deliver
delivered c2/1/N1 incoming

# Across calls: incoming, answered, ended, missed.
> restart
> offer missed c3 u1
> offer ended c2 u1
> offer incoming c4 u1
> offer incoming c5 u3
> next
send c4/1/N1 incoming
send c5/1/N2 incoming
send c2/2/N1 ended
due at 5m0s
